"""Changes by chance."""

import copy
import math
import random
from functools import partial

from .fields import Fields, together
from .file import File

NUMBERS = [0, 1, 2, 3, 7, 16, 17, 127, 128, 255, 256, 4095, 4097, 65535, 65537]
NUMBERS += [2**k + d for k in (20, 24, 27, 31, 32, 40, 59, 62, 63) for d in (-1, 0, 1)]
NUMBERS += [2**64 - 1]
HEADERS = (b"GRUP", b"ENTR")  # what most is said in
REALS = [0.0, -0.0, 1.0, -1.0, 5e-324, 1e-300, 1e-30, 1e30, 1e300, math.inf, -math.inf, math.nan]


def mutated(random: random.Random, file: File) -> bytes:
    """Return a file with one to three changes."""
    file = copy.deepcopy(file)
    alter = None
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        kind = random.randrange(12)
        if kind == 0:
            alter = partial(change, random)
        elif kind == 1:
            change_sections(random, file)
        elif kind <= 4 or not file.sections:
            change(random, random.choice([file.index, file.cuts or file.index]))
        else:
            groups = [s for s in file.sections if s[0] in HEADERS] or file.sections
            change(random, random.choice(groups if kind <= 9 else file.sections)[1])
    return file.bytes(alter)


def resealed(random: random.Random, data: bytes) -> bytes:
    """Return a file with changed bytes in one section but INDX and END, which are made anew."""
    file = File(data)
    one = random.choice(file.sections)
    one[1] = [["bytes", changed(random, together(one[1]))]]
    return file.bytes()


def change_sections(random: random.Random, file: File) -> None:
    if not file.sections:
        return
    at = random.randrange(len(file.sections))
    kind = random.randrange(5)
    if kind == 0:
        del file.sections[at]
    elif kind == 1:
        file.sections.insert(random.randrange(at + 1), copy.deepcopy(file.sections[at]))
    elif kind == 2:
        other = random.randrange(len(file.sections))
        file.sections[at], file.sections[other] = file.sections[other], file.sections[at]
    elif kind == 3:
        file.sections[at][0] = random.choice([b"ROWS", b"GRUP", b"ENTR", b"NETW", b"INDX", b"XXXX"])
    else:
        kind = file.sections[at][0]
        file.sections[at][0] = bytes([kind[0] ^ 32]) + kind[1:]


def change(random: random.Random, fields: Fields) -> None:
    """Change one field somewhere, at any depth."""
    if not fields:
        return
    at = random.randrange(len(fields))
    kind, value = fields[at]
    if isinstance(value, list) and value and random.random() < 0.9:
        change(random, value)
    elif random.random() < 0.08:
        edit = random.randrange(3)
        if edit == 0:
            del fields[at]
        elif edit == 1:
            fields.insert(at, copy.deepcopy(fields[at]))
        else:
            alike = [field for field in fields if field[0] == kind]
            fields[at][1] = copy.deepcopy(random.choice(alike)[1])
    elif isinstance(value, int):
        near = [value - 1, value + 1, 2 * value, value // 2]
        number = random.choice([*near, *near, *NUMBERS])
        fields[at][1] = number if kind == "svarint" else max(number, 0) % (1 << 64)
        if kind == "svarint" and random.random() < 0.5:
            fields[at][1] = -number
    elif isinstance(value, float):
        fields[at][1] = random.choice([value * random.choice([-1, 0.5, 2, 1e9, 1e-9]), *REALS])
    else:
        fields[at][1] = changed(random, together(value) if isinstance(value, list) else value)


def changed(random: random.Random, data: bytes) -> bytes:
    """Return bytes with something flipped, cut, put in, repeated or zeroed."""
    a, b = sorted(random.randrange(len(data) + 1) for _ in range(2))
    return random.choice(
        [
            data[:a] + data[b:],
            data[:b] + data[a:],
            data[:a] + bytes(random.choice((1, 4, 40))) + data[a:],
            data[:a] + random.randbytes(random.choice((1, 1, 4))) + data[a:],
            data[:a] + random.randbytes(1) + data[a + 1 :],
            data[:a] + bytes(b - a) + data[b:],
            b"",
        ]
    )
