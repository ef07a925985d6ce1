import pytest
from hypothesis import given
from hypothesis import strategies as st
from odp_exporter.mysql.greeting import (
    MAX_PAYLOAD_BYTES,
    ErrorPacket,
    Greeting,
    GreetingError,
    Incomplete,
    NotMySQL,
    OldProtocol,
    OversizedPacket,
    ShortPacket,
    WrongSequence,
    parse,
)

CAPTURED = bytes.fromhex(
    "4a0000000a352e362e32350002000000616161616161616100dff72e00009f0015"
    "00000000000000000000626262626262626262626262006d7973716c5f6e61746976655f70617373776f726400"
)
"""The greeting of a real ODP 4.3.1."""


def packet(payload: bytes, sequence: int = 0) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([sequence]) + payload


def test_parses_the_greeting_of_a_real_odp() -> None:
    expected = Greeting("5.6.25", 2, 0x009FF7DF, 46, 0, "mysql_native_password")

    assert expected == parse(CAPTURED)


def test_every_beginning_of_a_greeting_is_incomplete() -> None:
    """However the network cuts it, nothing is concluded before the last byte."""
    lengths = [parse(CAPTURED[:cut]) for cut in range(len(CAPTURED))]

    assert [Incomplete(4 - cut) for cut in range(4)] == lengths[:4]
    assert [Incomplete(len(CAPTURED) - cut) for cut in range(4, len(CAPTURED))] == lengths[4:]


def test_an_error_packet_gives_its_code_and_text() -> None:
    with pytest.raises(ErrorPacket, match=r"^error 1129: Host 'x' is blocked$") as caught:
        parse(packet(b"\xff\x69\x04Host 'x' is blocked"))

    assert 1129 == caught.value.code


def test_an_error_packet_may_carry_an_sqlstate() -> None:
    with pytest.raises(ErrorPacket, match=r"^error 1040: Too many connections$"):
        parse(packet(b"\xff\x10\x04#08004Too many connections"))


@pytest.mark.parametrize(
    ("received", "error", "message"),
    [
        (b"HTTP/1.0 408 Request Timeout\r\n", NotMySQL, r"an HTTP server is on this port: it said b'HTTP/1\.0 408"),
        (b"\x15\x03\x01\x00\x02\x02\x0a", NotMySQL, "a TLS server is on this port"),
        (b"SSH-2.0-OpenSSH_9.2", NotMySQL, "an SSH server is on this port"),
        (packet(b"\x07hello"), NotMySQL, "first byte 0x07 is no protocol version"),
        (packet(b"\x0aabc", sequence=1), WrongSequence, "packet number 1, a greeting is number 0"),
        (b"\xff\xff\xff\x00", OversizedPacket, "packet of 16777215 bytes announced, more than the 1024 of any"),
        (packet(b""), ShortPacket, "empty packet"),
        (packet(b"\x0a5.6.25"), ShortPacket, "packet ends inside the server version"),
        (packet(b"\x0a5.6.25\0\1\0"), ShortPacket, "packet ends inside the fixed fields"),
        (packet(CAPTURED[4:30]), ShortPacket, "packet ends inside the fixed fields"),
        (packet(CAPTURED[4:50]), ShortPacket, "packet ends inside the salt"),
        (packet(b"\xff\x01"), ShortPacket, "error packet ends inside its code"),
        (packet(b"\x093.20.1\0"), OldProtocol, "protocol version 9, ODP speaks 10"),
    ],
)
def test_every_kind_of_bad_packet_has_its_error(received: bytes, error: type[GreetingError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        parse(received)

    assert error is type(caught.value)


@given(st.binary(max_size=MAX_PAYLOAD_BYTES + 64))
def test_arbitrary_bytes_end_in_an_answer_or_a_greeting_error(received: bytes) -> None:
    try:
        answer = parse(received)
    except GreetingError:
        return
    assert isinstance(answer, Greeting) or answer.missing > 0


@given(st.binary(max_size=MAX_PAYLOAD_BYTES), st.sampled_from([b"\x0a", b"\xff", b"\x09", b""]))
def test_a_whole_packet_is_never_incomplete(payload: bytes, first: bytes) -> None:
    try:
        answer = parse(packet((first + payload)[:MAX_PAYLOAD_BYTES]))
    except GreetingError:
        return
    assert isinstance(answer, Greeting)


@given(st.binary(max_size=200), st.integers(0, 200))
def test_more_bytes_never_take_an_error_back(received: bytes, cut: int) -> None:
    """What is certain of a beginning is certain of the whole: nothing is judged too early."""
    try:
        parse(received[:cut])
    except GreetingError as error:
        with pytest.raises(type(error)):
            parse(received)


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60),
    st.integers(0, 2**32 - 1),
    st.binary(min_size=8, max_size=8),
    st.integers(0, 255),
)
def test_reads_back_any_greeting_a_server_may_send(version: str, thread_id: int, salt: bytes, charset: int) -> None:
    payload = b"\x0a" + version.encode() + b"\0" + thread_id.to_bytes(4, "little") + salt
    payload += b"\0\xdf\xf7" + bytes([charset]) + b"\2\0\x9f\0\x15" + bytes(10) + b"b" * 12 + b"\0plugin\0"

    assert Greeting(version, thread_id, 0x009FF7DF, charset, 2, "plugin") == parse(packet(payload))
