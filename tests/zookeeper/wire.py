"""ZooKeeper's client protocol by hand, for what no client library can be made to say."""

import socket
import struct

CREATE, DELETE, EXISTS, GET, SET, GET_ACL, SET_ACL, CHILDREN, SYNC = 1, 2, 3, 4, 5, 6, 7, 8, 9
PING, CHILDREN2, CHECK, MULTI, CREATE2, RECONFIG = 11, 12, 13, 14, 15, 16
CHECK_WATCHES, REMOVE_WATCHES, CREATE_CONTAINER, DELETE_CONTAINER, CREATE_TTL, MULTI_READ = 17, 18, 19, 20, 21, 22
AUTH, SET_WATCHES, SASL, EPHEMERALS, ALL_CHILDREN, SET_WATCHES2, ADD_WATCH, WHO = 100, 101, 102, 103, 104, 105, 106, 107
CREATE_SESSION, CLOSE = -10, -11

PERSISTENT, EPHEMERAL, SEQUENTIAL, EPHEMERAL_SEQUENTIAL, CONTAINER, TTL, TTL_SEQUENTIAL = range(7)
OPEN = [(31, "world", "anyone")]
READ_ONLY = [(1, "world", "anyone")]
STAT = ("czxid", "mzxid", "ctime", "mtime", "version", "cversion", "aversion", "owner", "length", "children", "pzxid")


def integer(value):
    return struct.pack(">i", value)


def long(value):
    return struct.pack(">q", value)


def flag(value):
    return b"\1" if value else b"\0"


def buffer(value):
    return integer(-1) if value is None else integer(len(value)) + value


def text(value):
    return buffer(None if value is None else value.encode("utf-8", "surrogatepass"))


def vector(items, encode):
    return integer(-1) if items is None else integer(len(items)) + b"".join(map(encode, items))


def acls(entries):
    return vector(entries, lambda entry: integer(entry[0]) + text(entry[1]) + text(entry[2]))


def create(path, data=b"", acl=OPEN, flags=PERSISTENT, ttl=None):
    return text(path) + buffer(data) + acls(acl) + integer(flags) + (b"" if ttl is None else long(ttl))


def delete(path, version=-1):
    return text(path) + integer(version)


def put(path, data=b"", version=-1):
    return text(path) + buffer(data) + integer(version)


def watched(path, watch=False):
    return text(path) + flag(watch)


def set_acl(path, acl, version=-1):
    return text(path) + acls(acl) + integer(version)


def multi(*operations):
    body = b"".join(integer(op) + flag(False) + integer(-1) + record for op, record in operations)
    return body + integer(-1) + flag(True) + integer(-1)


class Reader:
    """Reads an answer; what is left over shows."""

    def __init__(self, data):
        self.data = data

    def take(self, count):
        if count > len(self.data):
            raise EOFError(f"{count} bytes wanted of {self.data.hex()}")
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def integer(self):
        return struct.unpack(">i", self.take(4))[0]

    def long(self):
        return struct.unpack(">q", self.take(8))[0]

    def flag(self):
        return bool(self.take(1)[0])

    def buffer(self):
        length = self.integer()
        return None if length < 0 else self.take(length)

    def text(self):
        value = self.buffer()
        return None if value is None else value.decode()

    def vector(self, decode):
        count = self.integer()
        return None if count < 0 else [decode() for _ in range(count)]

    def stat(self):
        return dict(zip(STAT, struct.unpack(">qqqqiiiqiiq", self.take(68))))

    def acl(self):
        return (self.integer(), self.text(), self.text())


class Closed(Exception):
    """The server ended the connection."""


class Connection:
    """One connection, from its handshake on."""

    def __init__(self, address, timeout=60_000, session=0, password=bytes(16), seen=0, read_only=False, patience=10.0):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), 10)
        self.socket.settimeout(patience)
        self.xid, self.events = 0, []
        hello = integer(0) + long(seen) + integer(timeout) + long(session) + buffer(password)
        self.send_frame(hello + (b"" if read_only is None else flag(read_only)))
        answer = Reader(self.receive_frame())
        self.protocol, self.timeout, self.session = answer.integer(), answer.integer(), answer.long()
        self.password = answer.buffer()
        self.read_only = answer.flag() if answer.data else None
        self.rest = answer.data

    def send_frame(self, data):
        try:
            self.socket.sendall(integer(len(data)) + data)
        except OSError as error:
            raise Closed from error

    def receive_frame(self):
        length = struct.unpack(">i", self._receive(4))[0]
        return self._receive(length)

    def _receive(self, count):
        data = b""
        while len(data) < count:
            try:
                more = self.socket.recv(count - len(data))
            except ConnectionError as error:
                raise Closed from error
            if not more:
                raise Closed
            data += more
        return data

    def send(self, op, body=b"", xid=None):
        if xid is None:
            self.xid += 1
            xid = self.xid
        self.send_frame(integer(xid) + integer(op) + body)
        return xid

    def receive(self):
        """The next frame: an answer (xid, zxid, err, reader). Events on the way are kept."""
        while True:
            reader = Reader(self.receive_frame())
            xid, zxid, err = reader.integer(), reader.long(), reader.integer()
            if xid != -1:
                return xid, zxid, err, reader
            self.events.append((zxid, err, reader.integer(), reader.integer(), reader.text(), reader.data))

    def call(self, op, body=b"", xid=None):
        sent = self.send(op, body, xid)
        xid, zxid, err, reader = self.receive()
        assert xid == sent, f"the answer to {xid} where {sent} was asked"
        return zxid, err, reader

    def drop(self):
        """Ends the connection without a word."""
        self.socket.close()


def words(address, word, patience=10.0):
    """What a server answers to four letters."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.settimeout(patience)
        connection.sendall(word if isinstance(word, bytes) else word.encode())
        answer = b""
        while True:
            try:
                more = connection.recv(65536)
            except ConnectionError:
                break
            if not more:
                break
            answer += more
    return answer.decode()
