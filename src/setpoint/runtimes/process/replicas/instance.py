"""One instance: brings its replicas to what was applied last, and keeps the address in front of them.

What is ordered – what is to run, which replicas start, which stop – is written down before it is true in memory: a write that
fails leaves both as they were, so that a retry does everything again. What is seen – ends, restarts, health – is written after.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

from msgspec import structs

from setpoint.durable import files
from setpoint.programs.procfs import Identity
from setpoint.runtimes.process.home import file_name
from setpoint.runtimes.process.logs import prune
from setpoint.runtimes.process.proxy.address import Address
from setpoint.runtimes.process.proxy.balancer import Balancer
from setpoint.runtimes.process.records import Desired, GoneRecord, InstanceRecord, InstanceReport, ReplicaRecord
from setpoint.runtimes.process.replicas.replica import Hooks, Host, Replica
from setpoint.runtimes.process.replicas.rolling import LiveReplica, Moves, next_moves

_REMEMBERED = 32
_RETRY = 1.0
_log = logging.getLogger(__name__)


class ProcessInstance:
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
        self._hooks = Hooks(changed=self._wake, save=self._save_replica)
        self._address: Address | None = None
        self._former_addresses: list[Address] = []
        self._awake = asyncio.Event()
        self._work: asyncio.Task[None] | None = None
        files.make_directory(host.home.logs_of(record.instance))

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
        """Take on what is to run.

        Raises:
            OSError: the address cannot be had, or it cannot be written down; nothing was changed.
        """
        record = self.record
        done = f"{operation} {desired.launch.digest}"
        repeated = done in record.operations and not record.halted
        same = record.desired is not None and record.desired.launch.digest == desired.launch.digest and not record.halted
        if repeated or same:
            self._change(operations=self._with(done))
            return
        address = self._address_for(desired)
        try:
            self._change(
                durable=True,
                desired=desired,
                halted=False,
                launches={**record.launches, desired.launch.digest: desired.launch},
                operations=self._with(done),
                port=address.port,
            )
        except OSError:
            if address is not self._address:
                self._close_at(address)
            raise
        self._use(address, desired)
        self._awake.set()

    def remove(self, operation: str) -> None:
        """Take everything down and forget the instance; ``ended`` is set when that is done."""
        self._change(durable=True, desired=None, operations=self._with(operation))
        self._awake.set()

    def halt(self) -> None:
        """Take everything down and remember the instance with its port: the next apply starts it again."""
        self._change(durable=True, halted=True)
        self._awake.set()

    async def detach(self) -> None:
        """Look after it no longer; what runs goes on, and no client is taken any more."""
        for address in self._addresses():
            address.stop_accepting()
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
        for replica in self._replicas.values():
            await replica.detach()

    async def let_go(self, *, finish: bool) -> None:
        """Close its addresses; ``finish``: after the requests that are under way."""
        await asyncio.gather(*(address.finish() if finish else address.close() for address in self._addresses()))

    def directories(self) -> set[str]:
        """Working directories that may still be needed."""
        return {launch.directory for launch in self.record.launches.values()}

    def view(self, *, with_usage: bool = False) -> InstanceReport:
        """How it is now."""
        desired = None if self.record.halted else self.record.desired
        replicas = tuple(replica.view(with_usage=with_usage) for replica in self._replicas.values())
        return InstanceReport(
            digest=desired.launch.digest if desired else "",
            version=desired.launch.version if desired else "",
            wanted=desired.replicas if desired else 0,
            port=self._address.port if self._address else 0,
            message=self.message,
            replicas=replicas,
        )

    def _with(self, operation: str) -> list[str]:
        """The operations that are remembered, with one more."""
        known = self.record.operations
        return known if operation in known else [*known, operation][-_REMEMBERED:]

    def _change(self, *, durable: bool = False, **fields: Any) -> None:
        """Write the record down with these fields, then have them in memory. Raises OSError: then neither is changed."""
        self._host.home.write(structs.replace(self.record, **fields), durable=durable)
        for name, value in fields.items():
            setattr(self.record, name, value)

    def _save_replica(self, changed: ReplicaRecord) -> None:
        """Write the record down with one replica changed; the caller then changes its memory. Raises OSError."""
        replicas = [changed if known.name == changed.name else known for known in self.record.replicas]
        self._host.home.write(structs.replace(self.record, replicas=replicas))

    def _wake(self) -> None:
        """A replica changed: look whether there is something to do, and write it down."""
        self._awake.set()

    def _address_for(self, desired: Desired) -> Address:
        """Return the present address, or another one where another port is requested. Raises OSError."""
        wanted = desired.port or self.record.port
        if self._address is not None and (not wanted or self._address.port == wanted):
            return self._address
        return Address(self._host.listeners.open(wanted, self._host.ports), self._balancer, self._host.clients)

    def _close_at(self, address: Address) -> None:
        self._host.listeners.close(address.port)
        address.stop_listening()

    def _use(self, address: Address, desired: Desired) -> None:
        if address is not self._address:
            if self._address is not None:
                self._close_at(self._address)
                self._former_addresses.append(self._address)
            self._address = address
            self._host.ports.add(address.port)
        address.http_only = desired.launch.health.kind == "http"
        address.trusted_proxies = tuple(ip_network(network) for network in desired.trusted_proxies)

    async def _keep_working(self) -> None:
        while True:
            await self._awake.wait()
            self._awake.clear()
            try:
                self._step()
                over = not self._replicas and (self.record.desired is None or self.record.halted)
                if over and self.record.desired is None:
                    self._host.home.forget(self.record.instance)
            except OSError as error:
                # A full disk or a taken port: nothing is lost, it is tried again, and observations report it.
                self._note(f"{error}; trying again")
                asyncio.get_running_loop().call_later(_RETRY, self._awake.set)
                over = False
            self._touched(self.record.instance)
            if over:
                await self._close()
                return

    def _note(self, message: str) -> None:
        if message != self.message:  # once, not every second
            _log.warning("%s: %s", self.record.instance, message)
        self.message = message

    def _addresses(self) -> list[Address]:
        return [*self._former_addresses, *([self._address] if self._address is not None else [])]

    async def _close(self) -> None:
        self.closing = True
        if self._address is not None:
            self._close_at(self._address)
        await self.let_go(finish=False)
        self.ended.set()
        self._touched(self.record.instance)

    def _step(self) -> None:
        self._drop_gone()
        desired = None if self.record.halted else self.record.desired
        if desired is not None and self._address is None:
            self._use(self._address_for(desired), desired)
        moves = Moves(0, tuple(self._replicas)) if desired is None else self._moves(desired)
        fresh = self._fresh(desired, moves.start) if desired is not None else []
        self._order(fresh, set(moves.stop))
        for name in moves.stop:
            self._replicas[name].stop()
        if desired is not None:
            self._start(fresh, desired)
        replicas = self._replicas.values()
        self._balancer.set_targets(replica.target for replica in replicas if replica.serving and replica.target is not None)
        self.message = ""

    def _order(self, fresh: list[ReplicaRecord], stopping: set[str]) -> None:
        """Write down who starts and who stops, before any of it is done. Raises OSError: then nothing is."""
        there = [structs.replace(record, stopping=True) if record.name in stopping else record for record in self.record.replicas]
        port = self._address.port if self._address is not None else self.record.port
        counter = self.record.counter + len(fresh)
        self._host.home.write(structs.replace(self.record, replicas=[*there, *fresh], counter=counter, port=port))
        self.record.port, self.record.counter = port, counter
        self.record.replicas = [*self.record.replicas, *fresh]

    def _drop_gone(self) -> None:
        gone = [replica for replica in self._replicas.values() if replica.gone]
        for replica in gone:
            if replica.fault is not None:
                _log.error("%s broke off", replica.record.name, exc_info=replica.fault)
            del self._replicas[replica.record.name]
            self._host.ports.discard(replica.record.port)
        if gone:
            self.record.replicas = [replica.record for replica in self._replicas.values()]
            former = [*self.record.gone, *(_gone(replica) for replica in gone)]
            kept = prune(self._host.home.logs_of(self.record.instance), set(self._replicas), [one.name for one in former])
            self.record.gone = [one for one in former if one.name in kept]
        self._forget_unused_launches()

    def _forget_unused_launches(self) -> None:
        used = {replica.record.digest for replica in self._replicas.values()}
        if self.record.desired is not None:
            used.add(self.record.desired.launch.digest)
        self.record.launches = {digest: launch for digest, launch in self.record.launches.items() if digest in used}

    def _moves(self, desired: Desired) -> Moves:
        digest = desired.launch.digest
        seen = [
            LiveReplica(replica.record.name, replica.record.digest == digest, replica.healthy is True)
            for replica in self._replicas.values()
            if not replica.record.stopping
        ]
        stopping = len(self._replicas) - len(seen)
        return next_moves(desired.replicas, desired.surge, desired.unavailable, seen, stopping)

    def _fresh(self, desired: Desired, count: int) -> list[ReplicaRecord]:
        """Records of replicas to come, by names that no other one had."""
        service, last = _service(self.record.instance), self.record.counter
        return [
            ReplicaRecord(name=f"{service}-{number}", digest=desired.launch.digest)
            for number in range(last + 1, last + 1 + count)
        ]

    def _start(self, fresh: list[ReplicaRecord], desired: Desired) -> None:
        for record in fresh:
            replica = Replica(self._host, self.record.instance, record, desired.launch, self._hooks)
            self._replicas[record.name] = replica
            replica.begin()


def _gone(replica: Replica) -> GoneRecord:
    record = replica.record
    return GoneRecord(record.name, record.digest, replica.launch.version, record.ended, time.time_ns() // 1_000_000)


def _service(instance: str) -> str:
    """``web`` of ``shop/web@staging``."""
    return file_name(instance.rpartition("/")[2].partition("@")[0]) or "replica"
