"""Borsh with limits: each kind of value reads bytes and writes them. A value is what the JSON shows of it."""


class Refused(Exception):
    """Bytes that are not the one encoding of a value."""


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if self.at + count > len(self.data):
            raise Refused("cut short")
        self.at += count
        return self.data[self.at - count:self.at]


class Number:
    """Little-endian; an amount is a decimal string in JSON."""

    def __init__(self, size, text=False):
        self.size, self.text = size, text

    def read(self, reader):
        number = int.from_bytes(reader.take(self.size), "little")
        return str(number) if self.text else number

    def write(self, value):
        return int(value).to_bytes(self.size, "little")


class Bool:
    def read(self, reader):
        return bool(Choice({0: "no", 1: "yes"}).read(reader) == "yes")

    def write(self, value):
        return bytes([value])


class Fixed:
    """So many bytes, hex in JSON."""

    def __init__(self, size):
        self.size = size

    def read(self, reader):
        return reader.take(self.size).hex()

    def write(self, value):
        data = bytes.fromhex(value)
        if len(data) != self.size:
            raise Refused("another length")
        return data


def read_length(reader, least, most):
    length = int.from_bytes(reader.take(4), "little")
    if not least <= length <= most:
        raise Refused("length out of bounds")
    return length


class Bytes:
    """A length of 4 bytes before them, hex in JSON."""

    def __init__(self, most):
        self.most = most

    def read(self, reader):
        return reader.take(read_length(reader, 0, self.most)).hex()

    def write(self, value):
        data = bytes.fromhex(value)
        return len(data).to_bytes(4, "little") + data


class Text:
    """UTF-8 behind a length, never empty, no control characters."""

    def __init__(self, most):
        self.most = most

    def read(self, reader):
        try:
            text = reader.take(read_length(reader, 1, self.most)).decode()
        except UnicodeDecodeError:
            raise Refused("no UTF-8") from None
        if any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text):
            raise Refused("control characters")
        return text

    def write(self, value):
        data = value.encode()
        return len(data).to_bytes(4, "little") + data


class Option:
    """0, or 1 and the value."""

    def __init__(self, kind):
        self.kind = kind

    def read(self, reader):
        return self.kind.read(reader) if Bool().read(reader) else None

    def write(self, value):
        return b"\0" if value is None else b"\1" + self.kind.write(value)


class List:
    def __init__(self, kind, least, most):
        self.kind, self.least, self.most = kind, least, most

    def read(self, reader):
        return [self.kind.read(reader) for _ in range(read_length(reader, self.least, self.most))]

    def write(self, value):
        return len(value).to_bytes(4, "little") + b"".join(map(self.kind.write, value))


class Tuple:
    def __init__(self, *kinds):
        self.kinds = kinds

    def read(self, reader):
        return [kind.read(reader) for kind in self.kinds]

    def write(self, value):
        return b"".join(kind.write(one) for kind, one in zip(self.kinds, value, strict=True))


class Struct:
    """Its fields one after the other."""

    def __init__(self, **fields):
        self.fields = fields

    def read(self, reader):
        return {name: kind.read(reader) for name, kind in self.fields.items()}

    def write(self, value):
        if value.keys() != self.fields.keys():
            raise Refused(f"fields {sorted(value.keys() ^ self.fields.keys())}")
        return b"".join(kind.write(value[name]) for name, kind in self.fields.items())


class Choice:
    """One byte that stands for a name."""

    def __init__(self, names):
        self.names, self.codes = names, {name: code for code, name in names.items()}

    def read(self, reader):
        code = reader.take(1)[0]
        if code not in self.names:
            raise Refused(f"unknown number {code}")
        return self.names[code]

    def write(self, value):
        return bytes([self.codes[value]])


class Bits:
    """A number whose bits have names. In JSON the names that are set, or with `flags` every name and whether it is."""

    def __init__(self, size, names, flags=False):
        self.size, self.names, self.flags = size, names, flags

    def read(self, reader):
        bits = int.from_bytes(reader.take(self.size), "little")
        if bits >> len(self.names):
            raise Refused("unknown bits")
        found = {name: bool(bits >> i & 1) for i, name in enumerate(self.names)}
        return found if self.flags else [name for name in self.names if found[name]]

    def write(self, value):
        found = [name for name in self.names if value[name]] if self.flags else value
        return sum(1 << self.names.index(name) for name in found).to_bytes(self.size, "little")


class Variant:
    """One byte that says which, then its fields. In JSON the name is the field `type`."""

    def __init__(self, **variants):
        self.choice = Choice({code: name for name, (code, _) in variants.items()})
        self.structs = {name: struct for name, (_, struct) in variants.items()}

    def read(self, reader):
        name = self.choice.read(reader)
        return {"type": name, **self.structs[name].read(reader)}

    def write(self, value):
        fields = {name: one for name, one in value.items() if name != "type"}
        return self.choice.write(value["type"]) + self.structs[value["type"]].write(fields)


def decode(kind, data):
    """The value of all of `data`."""
    reader = Reader(data)
    value = kind.read(reader)
    if reader.at != len(data):
        raise Refused("bytes behind the end")
    return value
