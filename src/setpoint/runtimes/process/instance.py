"""One instance: brings its replicas to what was applied last, and keeps the address in front of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from setpoint.runtimes.process.home import file_name
from setpoint.runtimes.process.logs import prune
from setpoint.runtimes.process.procfs import Identity
from setpoint.runtimes.process.proxy.address import Address
from setpoint.runtimes.process.proxy.balancer import Balancer
from setpoint.runtimes.process.records import Desired, InstanceRecord, InstanceView, ReplicaRecord
from setpoint.runtimes.process.replica import Hooks, Host, Replica
from setpoint.runtimes.process.rolling import Seen, next_moves

_REMEMBERED = 32
_RETRY = 1.0
_log = logging.getLogger(__name__)


class Instance:
    """Works in one task: every change wakes it, and it makes the next moves from what is there then.

    ``touched`` is called after each of them: its view may be another one.
    """

    def __init__(self, host: Host, record: InstanceRecord, touched: Callable[[str], None]) -> None:
        record.boot = host.boot
        self.record = record
        self.message = ""
        self.closing = False
        self.ended = asyncio.Event()
        self._host = host
        self._touched = touched
        self._replicas: dict[str, Replica] = {}
        self._balancer = Balancer()
        self._hooks = Hooks(changed=self._wake, save=lambda: host.home.write(record))
        self._address: Address | None = None
        self._former_addresses: list[Address] = []
        self._awake = asyncio.Event()
        self._work: asyncio.Task[None] | None = None
        host.home.logs_of(record.instance).mkdir(mode=0o700, parents=True, exist_ok=True)

    def begin(self, survivors: dict[str, Identity]) -> None:
        """Start working; ``survivors``: run -> process of replicas that outlived an earlier supervisor."""
        for record in list(self.record.replicas):
            launch = self.record.launches[record.digest]
            survivor = survivors.get(record.run)
            if survivor is None and (record.stopping or self.record.desired is None or self.record.halted):
                self.record.replicas.remove(record)
                continue
            self._replicas[record.name] = Replica(self._host, self.record.instance, record, launch, self._hooks)
            self._replicas[record.name].begin(survivor)
        self._work = asyncio.create_task(self._keep_working())
        self._awake.set()

    def apply(self, operation: str, desired: Desired) -> None:
        """Take on what shall run.

        Raises:
            OSError: the address cannot be had; nothing was changed.
        """
        record = self.record
        done = f"{operation} {desired.launch.digest}"
        repeated = done in record.operations and not record.halted
        same = record.desired is not None and record.desired.launch.digest == desired.launch.digest and not record.halted
        if repeated or same:
            self._remember(done)
            self._host.home.write(record)
            return
        self._open_address(desired)
        record.desired, record.halted = desired, False
        record.launches[desired.launch.digest] = desired.launch
        self._remember(done)
        self._host.home.write(record, durable=True)
        self._awake.set()

    def remove(self, operation: str) -> None:
        """Take everything down and forget the instance; ``ended`` is set when that is done."""
        self.record.desired = None
        self._remember(operation)
        self._host.home.write(self.record, durable=True)
        self._awake.set()

    def halt(self) -> None:
        """Take everything down and remember the instance with its port: the next apply starts it again."""
        self.record.halted = True
        self._host.home.write(self.record, durable=True)
        self._awake.set()

    async def detach(self) -> None:
        """Look after it no longer; what runs goes on."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
        for replica in self._replicas.values():
            await replica.detach()
        await self._close_addresses()

    def directories(self) -> set[str]:
        """Working directories that may still be needed."""
        return {launch.directory for launch in self.record.launches.values()}

    def view(self, *, with_usage: bool = False) -> InstanceView:
        """How it is now."""
        desired = None if self.record.halted else self.record.desired
        replicas = tuple(replica.view(with_usage=with_usage) for replica in self._replicas.values())
        return InstanceView(
            digest=desired.launch.digest if desired else "",
            version=desired.launch.version if desired else "",
            wanted=desired.replicas if desired else 0,
            port=self._address.port if self._address else 0,
            message=self.message,
            replicas=replicas,
        )

    def _remember(self, operation: str) -> None:
        if operation not in self.record.operations:
            self.record.operations = [*self.record.operations, operation][-_REMEMBERED:]

    def _wake(self) -> None:
        """A replica changed: look whether there is something to do, and write it down."""
        self._awake.set()

    def _open_address(self, desired: Desired) -> None:
        wanted = desired.port or self.record.port
        if self._address is None or (wanted and self._address.port != wanted):
            fresh = Address(wanted, self._balancer, self._host.ports)
            if self._address is not None:
                self._address.stop_listening()
                self._former_addresses.append(self._address)
            self._address = fresh
            self.record.port = fresh.port
            self._host.ports.add(fresh.port)
        self._address.http_only = desired.launch.health.kind == "http"

    async def _keep_working(self) -> None:
        while True:
            await self._awake.wait()
            self._awake.clear()
            try:
                self._step()
            except OSError as error:
                # A full disk or a taken port: nothing is lost, it is tried again, and observations say so.
                self._note(f"{error}; trying again")
                asyncio.get_running_loop().call_later(_RETRY, self._awake.set)
            self._touched(self.record.instance)
            if self._replicas or (self.record.desired is not None and not self.record.halted):
                continue
            await self._close()
            return

    def _note(self, message: str) -> None:
        if message != self.message:  # once, not every second
            _log.warning("%s: %s", self.record.instance, message)
        self.message = message

    async def _close_addresses(self) -> None:
        for address in (*self._former_addresses, self._address):
            if address is not None:
                await address.close()

    async def _close(self) -> None:
        self.closing = True
        await self._close_addresses()
        if self.record.desired is None:
            self._host.home.forget(self.record.instance)
        self.ended.set()
        self._touched(self.record.instance)

    def _step(self) -> None:
        self._drop_gone()
        desired = None if self.record.halted else self.record.desired
        if desired is None:
            self._stop(self._replicas)
        else:
            if self._address is None:
                self._open_address(desired)
            self._move(desired)
        replicas = self._replicas.values()
        self._balancer.set_targets(replica.target for replica in replicas if replica.serving and replica.target is not None)
        self._host.home.write(self.record)
        self.message = ""

    def _drop_gone(self) -> None:
        gone = [replica for replica in self._replicas.values() if replica.gone]
        for replica in gone:
            if replica.fault is not None:
                _log.error("%s broke off", replica.record.name, exc_info=replica.fault)
            del self._replicas[replica.record.name]
            self._host.ports.discard(replica.record.port)
        if gone:
            self.record.replicas = [replica.record for replica in self._replicas.values()]
            prune(self._host.home.logs_of(self.record.instance), set(self._replicas))
        self._forget_unused_launches()

    def _forget_unused_launches(self) -> None:
        used = {replica.record.digest for replica in self._replicas.values()}
        if self.record.desired is not None:
            used.add(self.record.desired.launch.digest)
        self.record.launches = {digest: launch for digest, launch in self.record.launches.items() if digest in used}

    def _move(self, desired: Desired) -> None:
        digest = desired.launch.digest
        seen = [
            Seen(replica.record.name, replica.record.digest == digest, replica.healthy is True)
            for replica in self._replicas.values()
            if not replica.record.stopping
        ]
        moves = next_moves(desired.replicas, desired.surge, desired.unavailable, seen)
        self._stop(moves.stop)
        for _ in range(moves.start):
            self._start(desired)

    def _stop(self, names: Iterable[str]) -> None:
        for name in names:
            self._replicas[name].stop()

    def _start(self, desired: Desired) -> None:
        self.record.counter += 1
        record = ReplicaRecord(name=f"{_service(self.record.instance)}-{self.record.counter}", digest=desired.launch.digest)
        replica = Replica(self._host, self.record.instance, record, desired.launch, self._hooks)
        self._replicas[record.name] = replica
        self.record.replicas.append(record)
        replica.begin()


def _service(instance: str) -> str:
    """``web`` of ``shop/web@staging``."""
    return file_name(instance.rpartition("/")[2].partition("@")[0]) or "replica"
