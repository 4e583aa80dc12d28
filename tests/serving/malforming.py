"""Messages with something wrong in them: in a field, or in the bytes.

Everything follows from the generator's seed.
"""

import random
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_NUMBERS = {
    FieldDescriptor.CPPTYPE_INT32: (0, 1, -1, -(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 1, 7, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (0, 1, -1, -(2**63), 2**63 - 1, 253_370_764_800, 10**15),
    FieldDescriptor.CPPTYPE_UINT64: (0, 1, 2, 2**40, 2**63, 2**64 - 1),
    FieldDescriptor.CPPTYPE_DOUBLE: (0.0, -1.0, 1e-300, 1e300, float("nan"), float("inf")),
    FieldDescriptor.CPPTYPE_FLOAT: (0.0, -1.0, 1e38, float("nan"), float("-inf")),
    FieldDescriptor.CPPTYPE_BOOL: (False, True),
    FieldDescriptor.CPPTYPE_ENUM: (0, 1, 2, 99, -1, 2**31 - 1),
}
_TEXTS = ("", "\0", "\n", "fan", "../..", "x" * 300, "\u202e", "é" * 4000, "%s{}", "1", "stable")
# The longest number there is; a length of 2 GiB; the ends of groups that never began.
_PIECES = (b"\xff" * 9 + b"\x01", b"\x0a\xff\xff\xff\xff\x07", b"\x0c", b"\xc3\x28", b"\0" * 8)


def distort(message: Message, chance: random.Random) -> bytes:
    """The message with one to three things wrong in its fields, its bytes or both."""
    changed = type(message)()
    changed.CopyFrom(message)
    kind = chance.random()
    if kind < 0.75:
        for _ in range(chance.randint(1, 3)):
            _distort_field(changed, chance)
    content = changed.SerializeToString()
    if kind > 0.6:
        for _ in range(chance.randint(1, 3)):
            content = _distort_bytes(content, chance)
    return content


def _distort_field(message: Message, chance: random.Random) -> None:
    """Change one field, anywhere in the message."""
    field = chance.choice(message.DESCRIPTOR.fields) if message.DESCRIPTOR.fields else None
    if field is None:
        return
    name = field.name
    if chance.random() < 0.15:
        message.ClearField(name)
    elif _is_map(field):
        _distort_map(getattr(message, name), field, chance)
    elif field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
        if field.is_repeated:
            items = getattr(message, name)
            if not items or chance.random() < 0.1:
                items.add()
            elif chance.random() < 0.1:
                items.add().CopyFrom(items[0])
            _distort_field(chance.choice(items), chance)
        else:
            getattr(message, name).SetInParent()
            _distort_field(getattr(message, name), chance)
    elif field.is_repeated:
        items = getattr(message, name)
        if items and chance.random() < 0.5:
            items[chance.randrange(len(items))] = _value(field, chance)
        else:
            items.extend(_value(field, chance) for _ in range(chance.choice((1, 3, 300))))
    else:
        setattr(message, name, _value(field, chance))


def _distort_map(entries: Any, field: FieldDescriptor, chance: random.Random) -> None:
    value = field.message_type.fields_by_name["value"]
    key = chance.choice(("timeout", "priority", "shared_memory_region", *_TEXTS))
    if value.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
        _distort_field(entries[key], chance)
    else:
        entries[key] = _value(value, chance)


def _value(field: FieldDescriptor, chance: random.Random) -> Any:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return chance.randbytes(chance.choice((0, 1, 4, 256, 512, 1536, 5000)))
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return chance.choice(_TEXTS)
    return chance.choice(_NUMBERS[field.cpp_type])


def _distort_bytes(content: bytes, chance: random.Random) -> bytes:
    start = chance.randint(0, len(content))
    end = min(len(content), start + chance.choice((1, 2, 8, 100)))
    change = chance.randrange(6)
    if change == 0:
        return content[:start]
    if change == 1:
        return content[:start] + chance.choice(_PIECES) + content[start:]
    if change == 2:
        return content[:start] + chance.randbytes(end - start) + content[end:]
    if change == 3:
        return content[:start] + content[end:]
    if change == 4:
        return content[:end] + content[start:end] + content[end:]
    return chance.randbytes(chance.choice((0, 1, 5, 40, 2000)))


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry
