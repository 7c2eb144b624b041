"""States and facts as bytes: MessagePack, with the schema version in front of every state."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from setpoint.core.decide import STATES
from setpoint.core.facts import AnyFact, Finalization
from setpoint.core.instance.state import InstanceState, Life
from setpoint.core.instructions import AnyInstruction
from setpoint.model.names import kind_of
from setpoint.model.policy import Policy

SCHEMA = 1
"""Raised with every change that older states cannot be read by; ``_UPGRADES`` then converts them."""

_encoder = msgspec.msgpack.Encoder()
_fact_decoder: msgspec.msgpack.Decoder[AnyFact] = msgspec.msgpack.Decoder(AnyFact)
_instruction_decoder: msgspec.msgpack.Decoder[AnyInstruction] = msgspec.msgpack.Decoder(AnyInstruction)


class _Fixed(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, array_like=True):
    policy: Policy | None
    removed: bool
    archive: tuple[Finalization, ...]


_fixed_decoder = msgspec.msgpack.Decoder(_Fixed)
_life_decoder = msgspec.msgpack.Decoder(Life)
_decoders = {kind: msgspec.msgpack.Decoder(state) for kind, state in STATES.items()}
_PREFIX = bytes([SCHEMA])


class Codec:
    """The codec of the core's own actors, as ``engine.port.StateCodec`` requires."""

    def encode_state(
        self,
        entity: str,  # noqa: ARG002 - the port's signature
        state: msgspec.Struct,
        previous: msgspec.Struct | None,
    ) -> tuple[bytes | None, bytes]:
        """The seldom changing part (None: as before), and the rest."""
        if isinstance(state, InstanceState):
            return self._fixed(state, previous), _PREFIX + _encoder.encode(state.life)
        fixed = b"" if previous is None else None
        return fixed, _PREFIX + _encoder.encode(state)

    def _fixed(self, state: InstanceState, previous: msgspec.Struct | None) -> bytes | None:
        if isinstance(previous, InstanceState) and _same_fixed(previous, state):
            return None
        return _PREFIX + _encoder.encode(_Fixed(state.policy, state.removed, state.archive))

    def decode_state(self, entity: str, fixed: bytes, changing: bytes) -> msgspec.Struct:
        """Raises msgspec.DecodeError for bytes of a newer schema, or damaged ones."""
        kind = kind_of(entity)
        if kind == "instance":
            rest = _read_fixed(fixed) if fixed else _Fixed(None, False, ())
            return InstanceState(rest.policy, rest.removed, rest.archive, _life_decoder.decode(_body(changing)))
        return _decoders[kind].decode(_body(changing))

    def encode_fact(self, fact: AnyFact) -> bytes:
        """Bytes of a fact."""
        return _encoder.encode(fact)

    def decode_fact(self, data: bytes) -> AnyFact:
        """The fact in these bytes."""
        return _fact_decoder.decode(data)

    def encode_instruction(self, instruction: AnyInstruction) -> bytes:
        """Bytes of an instruction."""
        return _encoder.encode(instruction)

    def decode_instruction(self, data: bytes) -> AnyInstruction:
        """The instruction in these bytes."""
        return _instruction_decoder.decode(data)


@lru_cache(maxsize=1024)
def _read_fixed(data: bytes) -> _Fixed:
    """Many instances of one service have the same policy, and one instance is read often: they share what was read."""
    return _fixed_decoder.decode(_body(data))


def _same_fixed(before: InstanceState, after: InstanceState) -> bool:
    return before.policy is after.policy and before.archive is after.archive and before.removed == after.removed


def _body(data: bytes) -> bytes:
    if data[:1] != _PREFIX:
        version = data[0] if data else 0
        raise msgspec.DecodeError(f"the state has schema version {version}; this Setpoint reads version {SCHEMA}")
    return data[1:]
