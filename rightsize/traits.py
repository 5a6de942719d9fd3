"""The words that show what a request asks for, in English, German, French, Spanish and Chinese."""

import re


def _is_latin(word: str) -> bool:
    # Latin letters with their accents end with U+024F; Chinese begins far above.
    return all(ord(letter) < 0x250 for letter in word)


def _words(*groups: str) -> re.Pattern[str]:
    """A pattern that finds any of the words; those of scripts without spaces stand anywhere in a sentence."""
    words = [word for group in groups for word in group.split()]
    latin = rf"\b(?:{'|'.join(filter(_is_latin, words))})\b"
    return re.compile("|".join([latin, *(word for word in words if not _is_latin(word))]), re.IGNORECASE)


# Program text, by its form: "class" and "return" alone are everyday words.
# Runs are bounded, or a megabyte made for the purpose would hold up the chat.
CODE_FORM = re.compile(
    r"```|^[ \t]*(?:def|class)[ \t]+\w+[ \t]?[(:{]|"
    r"^[ \t]*(?:import[ \t]+\w+|from[ \t]+[\w.]+[ \t]+import\b|#include\b)|"
    r"\b(?:function\s?\w{0,40}\(|console\.log|public\s+static|SELECT\s.{1,200}?\sFROM\b|INSERT\s+INTO\b)|"
    r"=>[ \t]?\{|\)[ \t]?\{[ \t]?$",
    re.MULTILINE,
)
# In these lists a dot stands for any one character, a space inside a term above all.
CODE = _words(
    r"refactor\w* debug\w* traceback stack.trace segfault segmentation.fault unit.tests? regex\w* algorithms? sql",
    r"compil(?:e|er|es|ing) docker\w* kubernetes concurren\w+ race.conditions? lock-free memory.leaks? implement\w*",
    r"distributed microservices? scalab\w+ fault-toleran\w+ multi-region code.?base source.code pull.request",
    r"api.endpoints? implementier\w* programmier\w* quellcode implémente\w* déboguer algorithme implementa\w*",
    r"programar algoritmo 代码 程序 函数 算法 实现",
)
# Something is to be made or mended, and it is a piece of software.
CODE_TASK = re.compile(
    r"\b(?:write|fix|build|create|make|optimi[sz]e|review|port|convert|add|schreib\w*|écri\w*|escrib\w*)\b.{0,60}?"
    r"\b(?:code|scripts?|programs?|functions?|class(?:es)?|components?|query|queries|api|app|bugs?|parsers?|servers?|websites?|"
    r"(?:java|type)?script|python|rust|java|react|css|html|sql|skript|programm|funktion|fonction|programme|función|programa)\b",
    re.IGNORECASE | re.DOTALL,
)
MATHS = _words(
    r"prove[sd]? proofs? theorems? lemmas? integrals? derivatives? differential.equations? eigen\w+ matri(?:x|ces)",
    r"converge\w* induction probabilit(?:y|ies) bayes\w* optimi[sz]ation asymptotic\w* irrational polynomials?",
    r"combinatori\w+ equations? solve calculus linearizab\w+ beweis\w* gleichung\w* integral\w* wahrscheinlichkeit\w*",
    r"démontre\w* équations? théorème dérivée demuestr\w* demostra\w* ecuaci\w+ teorema derivada",
    r"证明 方程 积分 定理 概率 矩阵 求导",
)
MATHS_FORM = re.compile(r"\\frac|\\int|\\sum|[∑∫√≤≥∀∃]|\b[a-z]\^\d")
# A problem told in words: at least three quantities, and a question for another.
_QUANTITY = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*\s?(?:%|[a-zA-Z]{1,12}\b)?")
_QUANTITY_ASKED = re.compile(
    r"\b(?:how\s+(?:many|much|long|far|fast|old)|when\s+(?:do|does|will)|what\s+is\s+the\s+(?:total|average|probability|ratio))\b",
    re.IGNORECASE,
)
REASONING = _words(
    r"analy[sz]e[sd]? analysis compar(?:e|ed|ison) contrast evaluat(?:e|ion) assess\w* critique critical(?:ly)? design",
    r"architect\w* trade-?offs? strateg\w+ justify step[\s-]by[\s-]step reason\w*.through derive[sd]? derivation plan",
    r"diagnose pros.and.cons root.cause in.depth in.detail detailed comprehensive\w* rigorous\w* thorough\w* research",
    r"synthesi[sz]e argue failure.modes? implications?",
    r"analysier\w* vergleich\w* bewerte\w* begründ\w* ausführlich\w* entwirf entwerfe\w* herleit\w*",
    r"schritt.für.schritt analyse[rz]? compare[rz]? évalue[rz]? justifie[rz]? conçois concevoir approfondi\w*",
    r"étape.par.étape analiza\w* compara\w* evalúa\w* justifica\w* diseña\w* detallad\w* paso.a.paso",
    r"分析 比较 评估 设计 推导 详细 论述 一步一步",
)
LONG_WRITING = re.compile(
    r"\b(?:write|draft|compose|rewrite|summari[sz]e|schreib\w*|verfass\w*|rédige\w*|écri\w*|redacta\w*|escrib\w*)\b.{0,60}?"
    r"\b(?:essay|article|report|story|proposal|speech|chapter|blog|paper|documentation|letter|contract|agreement|policy|guide|"
    r"thesis|screenplay|business\s+plan|aufsatz|artikel|bericht|geschichte|rede|brief|vertrag|dissertation|rapport|histoire|"
    r"lettre|contrat|ensayo|artículo|informe|historia|carta|contrato)\b|写一(?:篇|份|个故事)",
    re.IGNORECASE | re.DOTALL,
)
LISTED_PART = re.compile(r"^[ \t]*(?:\d+[.)]|[-*•])[ \t]+\S", re.MULTILINE)
CONDITION = re.compile(
    r"\b(?:must(?:\s+not)?|should|at\s+least|at\s+most|exactly|without|ensure|only\s+if)\b", re.IGNORECASE
)


def is_word_problem(text: str) -> bool:
    """Whether a text gives three quantities or more and asks for another."""
    return bool(_QUANTITY_ASKED.search(text)) and sum(1 for _ in _QUANTITY.finditer(text)) >= 3
