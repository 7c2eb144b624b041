"""What every runtime adapter must do, whatever it runs: one abstract suite, one subclass for each adapter."""

from __future__ import annotations

from abc import ABC, abstractmethod

import msgspec
from tests.runtimes.helpers import eventually, settled

from setpoint.model.spec import Spec, Version
from setpoint.plugins.runtime import Runtime


class RuntimeContract(ABC):
    """Subclasses give a runtime and specs for it; the tests come with the class."""

    @abstractmethod
    def healthy(self, version: str) -> Spec:
        """A spec that becomes healthy."""

    @abstractmethod
    def failing(self, version: str) -> Spec:
        """A spec that never becomes healthy."""

    def other(self, spec: Spec) -> Spec:
        """The same in another instance."""
        return msgspec.structs.replace(spec, instance="shop/web@production").sealed()

    async def test_what_was_applied_is_observed(self, runtime: Runtime) -> None:
        spec = self.healthy("1")
        await runtime.apply("op/1", spec)
        seen = await settled(runtime, spec)
        assert seen.objects
        assert seen.versions == ("1",)

    async def test_an_instance_nobody_applied_is_empty(self, runtime: Runtime) -> None:
        seen = await runtime.observe("shop/web@nowhere", None)
        assert seen.objects == ()
        assert not seen.complete
        assert not seen.difference

    async def test_an_instance_that_should_run_and_does_not_is_a_difference(self, runtime: Runtime) -> None:
        seen = await runtime.observe(self.healthy("1").instance, self.healthy("1"))
        assert not seen.complete
        assert seen.difference
        assert seen.message

    async def test_the_same_operation_twice_is_done_once(self, runtime: Runtime) -> None:
        spec = self.healthy("1")
        await runtime.apply("op/1", spec)
        before = await settled(runtime, spec)
        await runtime.apply("op/1", spec)
        assert await settled(runtime, spec) == before

    async def test_applying_what_runs_changes_nothing(self, runtime: Runtime) -> None:
        spec = self.healthy("1")
        await runtime.apply("op/1", spec)
        before = await settled(runtime, spec)
        await runtime.apply("op/2", spec)
        assert await runtime.observe(spec.instance, spec) == before

    async def test_a_newer_apply_takes_the_place_of_an_older_one(self, runtime: Runtime) -> None:
        for number in ("1", "2", "3"):
            await runtime.apply(f"op/{number}", self.healthy(number))
        seen = await settled(runtime, self.healthy("3"))
        assert seen.versions == ("3",)

    async def test_going_back_is_an_apply_like_any_other(self, runtime: Runtime) -> None:
        for number, version in enumerate(("1", "2", "1")):
            await runtime.apply(f"op/{number}", self.healthy(version))
            await settled(runtime, self.healthy(version))

    async def test_another_spec_than_the_expected_is_a_difference(self, runtime: Runtime) -> None:
        await runtime.apply("op/1", self.healthy("1"))
        await settled(runtime, self.healthy("1"))
        seen = await runtime.observe(self.healthy("2").instance, self.healthy("2"))
        assert not seen.complete
        assert seen.difference

    async def test_the_same_difference_has_the_same_hash(self, runtime: Runtime) -> None:
        await runtime.apply("op/1", self.healthy("1"))
        await settled(runtime, self.healthy("1"))
        first = await runtime.observe(self.healthy("2").instance, self.healthy("2"))
        again = await runtime.observe(self.healthy("2").instance, self.healthy("2"))
        assert first == again

    async def test_a_version_of_the_same_name_with_other_parameters_is_another(self, runtime: Runtime) -> None:
        first = self.healthy("1")
        second = msgspec.structs.replace(first, version=Version("1", parameters="other")).sealed()
        await runtime.apply("op/1", first)
        await settled(runtime, first)
        await runtime.apply("op/2", second)
        await settled(runtime, second)

    async def test_what_fails_is_never_settled(self, runtime: Runtime) -> None:
        spec = self.failing("1")
        await self.apply_failing(runtime, spec)

        async def says_so() -> bool:
            seen = await runtime.observe(spec.instance, spec)
            assert not (seen.complete and seen.objects and all(o.healthy for o in seen.objects))
            return any(o.healthy is False for o in seen.objects) or bool(seen.difference)

        await eventually("the failure shows", says_so)

    async def apply_failing(self, runtime: Runtime, spec: Spec) -> None:
        """Apply a spec that fails; adapters whose apply itself fails override this."""
        await runtime.apply("op/1", spec)

    async def test_instances_do_not_touch_each_other(self, runtime: Runtime) -> None:
        one, other = self.healthy("1"), self.other(self.healthy("2"))
        await runtime.apply("op/1", one)
        await runtime.apply("op/2", other)
        await settled(runtime, one)
        await settled(runtime, other)
        await runtime.remove("op/3", one.instance)
        await settled(runtime, other)

    async def test_removed_is_gone_and_can_come_back(self, runtime: Runtime) -> None:
        spec = self.healthy("1")
        await runtime.apply("op/1", spec)
        await settled(runtime, spec)
        await runtime.remove("op/2", spec.instance)
        await runtime.remove("op/2", spec.instance)

        async def gone() -> bool:
            return (await runtime.observe(spec.instance, None)).objects == ()

        await eventually("it is gone", gone)
        await runtime.apply("op/3", spec)
        await settled(runtime, spec)

    async def test_removing_what_is_not_there_is_fine(self, runtime: Runtime) -> None:
        await runtime.remove("op/1", "shop/web@nowhere")

    async def test_logs_can_be_read(self, runtime: Runtime) -> None:
        spec = self.healthy("1")
        await runtime.apply("op/1", spec)
        await settled(runtime, spec)
        assert [line.text async for line in runtime.logs(spec.instance)]
        assert [line async for line in runtime.logs("shop/web@nowhere")] == []

    async def test_mistakes_in_options_are_named(self, runtime: Runtime) -> None:
        assert runtime.validate(self.healthy("1").workload.options) == []
        [problem] = runtime.validate({**self.healthy("1").workload.options, "nonsense": 1})
        assert "nonsense" in problem

    async def test_closing_leaves_what_runs(self, runtime: Runtime) -> None:
        spec = self.healthy("1")
        await runtime.apply("op/1", spec)
        await settled(runtime, spec)
        await runtime.close()
        await settled(runtime, spec)
