"""Loading, evicting and unloading, as Ollama does it."""

import asyncio
from typing import Any

import pytest
from fastapi.testclient import TestClient

from demo.ollama import Behaviour, create_app
from demo.ollama.errors import OllamaError
from demo.ollama.memory import GIB
from demo.ollama.options import RunnerOptions
from demo.ollama.scheduler import Scheduler
from tests.unit.demo.build import CODER, EMBED, LARGE, MEDIUM, MINI, REMOTE, SMALL, chat, last, loaded, model


@pytest.mark.parametrize(("gib", "context"), [(0, 4_096), (8, 4_096), (22.9, 4_096), (23, 32_768), (47, 131_072)])
def test_the_default_context_follows_the_memory_class(gib: float, context: int) -> None:
    with TestClient(create_app(behaviour=Behaviour(gpu_memory_gib=gib))) as client:
        chat(client)
        # 262,144 from 47 GiB, but no more than the model's own window.
        assert loaded(client)[SMALL]["context_length"] == context


def test_the_default_context_can_be_set() -> None:
    with TestClient(create_app(behaviour=Behaviour(context_length=16_384))) as client:
        chat(client)
        assert loaded(client)[SMALL]["context_length"] == 16_384


def test_every_other_context_loads_the_model_anew(ollama: TestClient, behaviour: Behaviour) -> None:
    contexts = []
    for options in ({"num_ctx": 8192}, {"num_ctx": 8192}, {"num_ctx": 4096}, {}, {"num_ctx": 32_768}):
        chat(ollama, options=options)
        contexts.append(loaded(ollama)[SMALL]["context_length"])
    assert contexts == [8192, 8192, 4096, 32_768, 32_768]
    anew = [request["loaded_anew"] for request in behaviour.requests]
    assert anew == [True, False, True, True, False]
    assert behaviour.loads == [SMALL] * 3
    assert last(ollama, options={"num_ctx": 8192})["load_duration"] > 100_000_000
    assert last(ollama, options={"num_ctx": 8192})["load_duration"] < 10_000_000


@pytest.mark.parametrize("options", [{"num_thread": 2}, {"num_batch": 64}, {"num_gpu": 3}, {"use_mmap": False}])
def test_other_options_of_its_process_load_a_model_anew_too(ollama: TestClient, options: dict[str, Any]) -> None:
    chat(ollama)
    assert last(ollama, options=options)["load_duration"] > 100_000_000


def test_sampling_options_do_not(ollama: TestClient, behaviour: Behaviour) -> None:
    chat(ollama)
    chat(ollama, options={"temperature": 0.1, "num_predict": 3, "seed": 1, "stop": ["x"]})
    assert behaviour.loads == [SMALL]


def test_a_context_beyond_the_models_own_is_clipped(ollama: TestClient) -> None:
    chat(ollama, CODER, options={"num_ctx": 100_000})
    assert loaded(ollama)[CODER]["context_length"] == 32_768
    chat(ollama, MEDIUM, options={"num_ctx": 512})
    assert loaded(ollama)[MEDIUM]["context_length"] == 2_048


def test_a_keep_alive_stays_until_another_is_given(ollama: TestClient) -> None:
    chat(ollama, keep_alive=-1)
    chat(ollama)
    assert loaded(ollama)[SMALL]["expires_at"] > "2300"
    chat(ollama, keep_alive="10m")
    assert loaded(ollama)[SMALL]["expires_at"] < "2100"
    chat(ollama, keep_alive=-1)
    # Loaded anew, it has the default again.
    chat(ollama, options={"num_ctx": 2048})
    assert loaded(ollama)[SMALL]["expires_at"] < "2100"
    chat(ollama, keep_alive=0)
    assert loaded(ollama) == {}


def test_a_model_is_unloaded_when_its_time_is_up() -> None:
    now = [1000.0]
    behaviour = Behaviour(clock=lambda: now[0])
    with TestClient(create_app(behaviour=behaviour)) as client:
        chat(client, keep_alive="5m")
        now[0] += 299
        assert list(loaded(client)) == [SMALL]
        now[0] += 2
        assert loaded(client) == {}


def test_load_and_unload_without_a_question(ollama: TestClient) -> None:
    assert ollama.post("/api/generate", json={"model": SMALL}).json()["done_reason"] == "load"
    assert list(loaded(ollama)) == [SMALL]
    answer = ollama.post("/api/chat", json={"model": SMALL, "messages": [], "keep_alive": 0}).json()
    assert (answer["done_reason"], answer["message"]["content"]) == ("unload", "")
    assert loaded(ollama) == {}


def test_the_victim_is_the_one_with_the_shortest_keep_alive() -> None:
    behaviour = Behaviour(max_loaded_models=2, gpu_memory_gib=80, context_length=4096)
    with TestClient(create_app(behaviour=behaviour)) as client:
        chat(client, MINI, keep_alive="1h")
        chat(client, SMALL, keep_alive="1m")
        # Used last, and yet the one to go.
        chat(client, SMALL)
        chat(client, MEDIUM)
        assert set(loaded(client)) == {MINI, MEDIUM}
        # For ever does not protect where all others stay as long.
        chat(client, MINI, keep_alive=-1)
        chat(client, MEDIUM, keep_alive=-1)
        chat(client, SMALL)
        assert SMALL in loaded(client)
        assert len(loaded(client)) == 2


def test_what_does_not_fit_beside_others_makes_them_go() -> None:
    with TestClient(create_app(behaviour=Behaviour(gpu_memory_gib=24, context_length=4096))) as client:
        chat(client, SMALL)
        chat(client, MEDIUM)
        assert set(loaded(client)) == {SMALL, MEDIUM}
        chat(client, LARGE)
        assert set(loaded(client)) == {LARGE}


def test_a_model_that_does_not_fit_spills_and_is_slow() -> None:
    speeds = {}
    for gib in (24, 12, 0):
        with TestClient(create_app(behaviour=Behaviour(gpu_memory_gib=gib, context_length=4096))) as client:
            answer = last(client, LARGE)
            entry = loaded(client)[LARGE]
            speeds[gib] = answer["eval_count"] / answer["eval_duration"]
            assert (entry["size_vram"] < entry["size"]) == (gib < 24)
            assert entry["size_vram"] <= gib * GIB
    assert speeds[24] > 2 * speeds[12] > 2 * speeds[0]


def test_models_in_the_cloud_are_never_loaded(ollama: TestClient, behaviour: Behaviour) -> None:
    assert f"This is {REMOTE}" in last(ollama, REMOTE, stream=False)["message"]["content"]
    assert loaded(ollama) == {}
    assert behaviour.loads == []


def options(context: int = 4096) -> RunnerOptions:
    return RunnerOptions(context)


def test_a_model_that_serves_is_not_evicted_and_the_next_waits() -> None:
    async def both() -> list[str]:
        scheduler, order = Scheduler(Behaviour(max_loaded_models=1)), list[str]()

        async def use(name: str, hold: float) -> None:
            async with scheduler.use(model(name), options(), None):
                order.append(f"{name} in")
                await asyncio.sleep(hold)
                order.append(f"{name} out")

        await asyncio.gather(use(SMALL, 0.02), use(EMBED, 0.0))
        return order

    assert asyncio.run(both()) == [f"{SMALL} in", f"{SMALL} out", f"{EMBED} in", f"{EMBED} out"]


@pytest.mark.parametrize(("parallel", "most"), [(1, 1), (3, 3)])
def test_as_many_requests_at_once_as_there_are_slots(parallel: int, most: int) -> None:
    async def four() -> int:
        scheduler, serving, peak = Scheduler(Behaviour(num_parallel=parallel)), 0, 0

        async def use() -> None:
            nonlocal serving, peak
            async with scheduler.use(model(SMALL), options(), None):
                serving += 1
                peak = max(peak, serving)
                await asyncio.sleep(0.01)
                serving -= 1

        await asyncio.gather(*(use() for _ in range(4)))
        return peak

    assert asyncio.run(four()) == most


def test_more_than_the_queue_holds_are_refused() -> None:
    async def five() -> list[str]:
        scheduler = Scheduler(Behaviour(max_queue=2))

        async def use() -> str:
            try:
                async with scheduler.use(model(SMALL), options(), None):
                    await asyncio.sleep(0.01)
                    return "served"
            except OllamaError as error:
                return f"{error.status} {error}"

        return await asyncio.gather(*(use() for _ in range(5)))

    answers = asyncio.run(five())
    refused = "503 server busy, please try again.  maximum pending requests exceeded"
    assert sorted(answers) == sorted([refused, refused, "served", "served", "served"])


def test_a_load_that_is_given_up_leaves_nothing_behind() -> None:
    async def leave() -> list[str]:
        scheduler = Scheduler(Behaviour(time_scale=1.0, load_bytes_per_second=1e9))

        async def use() -> None:
            async with scheduler.use(model(SMALL), options(), None):
                pass

        task = asyncio.create_task(use())
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        scheduler.behaviour.time_scale = 0.0
        await use()
        return [entry.model.name for entry in scheduler.loaded()]

    assert asyncio.run(leave()) == [SMALL]
