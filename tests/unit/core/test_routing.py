"""The choice of a model, within what may be chosen, and its reasons."""

from dataclasses import replace

import pytest

from rightsize.catalogue import Backend, Capabilities, Catalogue, Model, Tier
from rightsize.errors import NoModelAvailable, PersonalDataBlocked, RequestTooLong
from rightsize.locality import Location
from rightsize.personal_data import Findings, Kind
from rightsize.request import read_request
from rightsize.routing import Decision, Route, decide
from rightsize.settings import RoutingSettings
from tests.unit.core.build import CLOUD, EVERYTHING, LARGE, MEDIUM, SMALL, chat, model

DEFAULTS = RoutingSettings()
EASY = chat("What time zone is Tokyo in?")
CODE = chat("Write a regex that matches a date.")
HARD = chat(
    "Prove by induction that a full binary tree with n leaves has n - 1 inner nodes, then analyze step by step how the "
    "proof changes for trees that are not full."
)
HARDEST = chat(
    "Design an architecture for a distributed SQL database and justify the trade-offs in depth.\n"
    "1. Prove that the consensus algorithm converges.\n2. Implement it.\n3. Compare it with two others.\n"
    "It must survive failures, must not lose data and should recover without help."
)
NOTHING = Findings()
NAME_AND_PHONE = Findings((Kind.NAME, Kind.PHONE))
VISION = Capabilities(vision=True, tools=False)


def choose(
    route: Route,
    request: object = EASY,
    catalogue: Catalogue = EVERYTHING,
    findings: Findings = NOTHING,
    **more: object,
) -> Decision:
    return decide(route, request, findings, catalogue, more.pop("settings", DEFAULTS), **more)  # type: ignore[arg-type]


def only(*models: Model) -> Catalogue:
    return Catalogue(models)


@pytest.mark.parametrize(
    ("request_", "chosen"), [(EASY, SMALL), (CODE, MEDIUM), (HARD, LARGE), (HARDEST, CLOUD)], ids=lambda value: ""
)
def test_auto_chooses_by_how_hard_the_request_is(request_: object, chosen: Model) -> None:
    decision = choose(Route.AUTO, request_)
    assert decision.model is chosen
    assert decision.reasons


@pytest.mark.parametrize(
    ("route", "chosen"),
    [(Route.SMALL, SMALL), (Route.MEDIUM, MEDIUM), (Route.LARGE, LARGE), (Route.FRONTIER, CLOUD)],
)
def test_a_tier_that_was_picked_is_taken(route: Route, chosen: Model) -> None:
    decision = choose(route, HARD if chosen is SMALL else EASY)
    assert decision.model is chosen
    assert decision.reasons == (f"the {route} tier was picked",)


def test_the_line_says_which_model_and_why() -> None:
    assert choose(Route.AUTO).sentence() == "small answers (small, local): a short, simple question."


@pytest.mark.parametrize("route", list(Route))
@pytest.mark.parametrize("request_", [EASY, HARDEST], ids=["easy", "hardest"])
def test_personal_data_stays_local_on_every_route(route: Route, request_: object) -> None:
    decision = choose(route, request_, findings=NAME_AND_PHONE)
    assert decision.model.is_local
    assert "a name and a phone number" in decision.sentence()


@pytest.mark.parametrize("route", list(Route))
def test_personal_data_without_a_local_model_is_not_sent(route: Route) -> None:
    with pytest.raises(PersonalDataBlocked, match="it holds a name and a phone number and no local model"):
        choose(route, catalogue=only(CLOUD), findings=NAME_AND_PHONE)


def test_the_line_says_what_personal_data_overruled() -> None:
    decision = choose(Route.FRONTIER, findings=NAME_AND_PHONE)
    assert decision.kept_local
    assert (
        decision.sentence() == "Kept local: large (large) answers instead of the cloud, for a name and a phone number."
    )
    assert "instead of GPT" in decision.sentence(instead_of="GPT")


@pytest.mark.parametrize("route", [Route.LOCAL, Route.SMALL, Route.MEDIUM, Route.LARGE])
def test_local_routes_never_leave(route: Route) -> None:
    assert choose(route, HARDEST).model.is_local
    with pytest.raises(NoModelAvailable, match="No local model is available"):
        choose(route, HARDEST, only(CLOUD))


def test_auto_leaves_the_cloud_alone_if_told_to() -> None:
    assert choose(Route.AUTO, HARDEST, settings=RoutingSettings(auto_may_use_cloud=False)).model is LARGE


def test_auto_makes_do_without_a_cloud() -> None:
    decision = choose(Route.AUTO, HARDEST, only(SMALL, LARGE))
    assert decision.model is LARGE
    assert not decision.kept_local


def test_auto_without_local_models_says_so_instead_of_using_the_cloud() -> None:
    with pytest.raises(NoModelAvailable, match="pick Frontier to use the cloud"):
        choose(Route.AUTO, EASY, only(CLOUD))


def test_frontier_without_a_cloud_says_so() -> None:
    with pytest.raises(NoModelAvailable, match="No cloud model is available to you"):
        choose(Route.FRONTIER, catalogue=only(SMALL, LARGE))


def test_nothing_at_all() -> None:
    with pytest.raises(NoModelAvailable):
        choose(Route.AUTO, catalogue=Catalogue(()))


def test_the_nearest_tier_stands_in_upwards_first() -> None:
    assert choose(Route.SMALL, catalogue=only(MEDIUM, LARGE)).model is MEDIUM
    assert choose(Route.LARGE, catalogue=only(SMALL, MEDIUM)).model is MEDIUM
    assert "no large model fits" in choose(Route.LARGE, catalogue=only(SMALL)).sentence()


def test_within_a_tier_a_loaded_model_is_first_then_the_larger() -> None:
    bigger = model("bigger", Tier.SMALL, parameters_billion=4.0)
    assert choose(Route.SMALL, catalogue=only(SMALL, bigger)).model is bigger
    resident = replace(SMALL, resident=True)
    assert choose(Route.SMALL, catalogue=only(resident, bigger)).model is resident


def test_the_frontier_model_is_the_named_one_or_the_newest_that_is_no_smaller_sibling() -> None:
    old, new = model("gpt-4", Tier.FRONTIER, created=1), model("gpt-5", Tier.FRONTIER, created=2)
    mini = model("gpt-5-mini", Tier.FRONTIER, created=3)
    catalogue = only(old, new, mini)
    assert choose(Route.FRONTIER, catalogue=catalogue).model is new
    assert choose(Route.FRONTIER, catalogue=catalogue, settings=RoutingSettings(frontier_model="gpt-4")).model is old


def test_a_local_model_can_be_moved_up_to_the_frontier_tier() -> None:
    moved = replace(LARGE, id="moved", tier=Tier.FRONTIER)
    assert choose(Route.FRONTIER, catalogue=only(SMALL, moved)).model is moved
    assert (
        choose(Route.AUTO, HARDEST, only(LARGE, moved), settings=RoutingSettings(auto_may_use_cloud=False)).model
        is moved
    )
    kept = choose(Route.FRONTIER, catalogue=only(SMALL, moved), findings=NAME_AND_PHONE)
    assert (kept.model, kept.kept_local) == (moved, False)


def test_a_cloud_model_moved_to_another_tier_is_still_not_local() -> None:
    moved = replace(CLOUD, id="moved", tier=Tier.SMALL)
    for route in (Route.SMALL, Route.LOCAL, Route.AUTO):
        assert choose(route, catalogue=only(LARGE, moved)).model is LARGE
    with pytest.raises(PersonalDataBlocked):
        choose(Route.SMALL, catalogue=only(moved), findings=NAME_AND_PHONE)


def test_an_image_goes_to_a_model_that_sees() -> None:
    picture = read_request(
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:x"}}]}]}
    )
    sees = replace(MEDIUM, capabilities=VISION)
    assert choose(Route.AUTO, picture, only(SMALL, sees, LARGE)).model is sees
    unknown = replace(LARGE, capabilities=Capabilities())
    assert choose(Route.SMALL, picture, only(SMALL, unknown)).model is unknown
    with pytest.raises(NoModelAvailable, match=r"can see images: .* remove the image"):
        choose(Route.AUTO, picture, only(SMALL, LARGE))


def test_tools_go_to_a_model_that_uses_them_or_are_left_out_with_a_word() -> None:
    request = chat("What is the weather?", tools=[{"type": "function"}])
    cannot = replace(SMALL, capabilities=Capabilities(tools=False))
    assert choose(Route.AUTO, request, only(cannot, LARGE)).model is LARGE
    decision = choose(Route.AUTO, request, only(cannot))
    assert decision.without_tools
    assert "tools" in decision.sentence()


def specifications(count: int) -> list[dict[str, object]]:
    """Tools of about 250 tokens each."""
    return [{"type": "function", "function": {"name": f"tool_{i}", "description": "x" * 950}} for i in range(count)]


def test_tools_that_fill_the_window_are_left_out_with_a_word() -> None:
    request = chat("What time zone is Tokyo in?", tools=specifications(20))
    tiny = replace(SMALL, context_window=4096)
    decision = choose(Route.SMALL, request, only(tiny))
    assert (decision.model, decision.without_tools) == (tiny, True)
    assert "the tools on offer do not fit, so they were left out" in decision.sentence()
    unknown = replace(SMALL, context_window=None)
    assert not choose(Route.SMALL, request, only(unknown)).without_tools


def test_ollama_is_asked_for_context_that_holds_the_tools_too() -> None:
    tools = specifications(20)
    assert choose(Route.SMALL, chat("hi", tools=tools)).context_window == 8192
    blind = replace(SMALL, capabilities=Capabilities(tools=False))
    assert choose(Route.SMALL, chat("hi", tools=tools), only(blind)).context_window is None


def test_a_request_that_fits_nowhere_is_refused_with_numbers() -> None:
    with pytest.raises(RequestTooLong, match=r"needs about 251,024 tokens, more than the 131,072 .* local model"):
        choose(Route.AUTO, chat("a" * 1_000_000))


def test_a_long_request_goes_where_it_fits() -> None:
    short = replace(SMALL, context_window=4096)
    assert choose(Route.SMALL, chat("word " * 10_000), only(short, LARGE)).model is LARGE


@pytest.mark.parametrize(
    ("words", "asked", "context"),
    [(10, None, None), (10, 8192, 8192), (20_000, None, 32_768), (20_000, 8192, 32_768), (95_000, None, 131_072)],
)
def test_ollama_is_asked_for_enough_context(words: int, asked: int | None, context: int | None) -> None:
    decision = choose(Route.LARGE, chat("word " * words), asked_context=asked)
    assert decision.context_window == context


def test_other_backends_are_not_asked_for_context() -> None:
    vllm = model("vllm", Tier.LARGE, backend=Backend.OPENAI, location=Location.LOCAL)
    assert choose(Route.LARGE, chat("word " * 20_000), only(vllm)).context_window is None
