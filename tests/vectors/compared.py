"""What was compared, and what differs."""

from codec import Refused, decode

differences = []
count = 0


def same(found, expected, what):
    global count
    count += 1
    if found != expected:
        differences.append(f"{what}: found {found!r}, the vector says {expected!r}")


def both_ways(kind, fields, data, what):
    """The bytes say the fields, and the fields make the bytes."""
    same(decode(kind, data), fields, f"{what}, decoded")
    same(kind.write(fields).hex(), data.hex(), f"{what}, encoded")


def decoded(kind, data, what):
    """The fields that the bytes say, and that make the same bytes."""
    fields = decode(kind, data)
    same(kind.write(fields).hex(), data.hex(), f"{what}, encoded")
    return fields


def unhex(vector, name="bytes"):
    return bytes.fromhex(vector[name])


def refused(attempt):
    try:
        attempt()
    except Refused:
        return True
    return False
