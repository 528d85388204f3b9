use super::*;
use proptest::prelude::*;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame as a client sends it; `first` is its first byte: the final bit, reserved bits, the opcode.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        n @ 0..=125 => out.push(0x80 | n as u8),
        n @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(n as u16).to_be_bytes());
        }
        n => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(n as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

/// What was found, as text.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Text(String),
    Close(Option<u16>),
    Violation(u16, &'static str),
}

/// Reads as a connection does: what is not done with is kept, the rest dropped. `cuts` are the sizes of the chunks.
fn hear(bytes_max: usize, input: &[u8], cuts: &[usize]) -> (Vec<Heard>, Option<Box<[u8]>>) {
    let mut messages = Messages::new(bytes_max);
    let (mut buf, mut heard) = (Vec::new(), Vec::new());
    let mut rest = input;
    let mut cuts = cuts.iter().copied().chain(std::iter::repeat(usize::MAX));
    while !rest.is_empty() {
        let (chunk, behind) = rest.split_at(cuts.next().unwrap_or(1).clamp(1, rest.len()));
        rest = behind;
        buf.extend_from_slice(chunk);
        loop {
            let text = |bytes: &[u8]| Heard::Text(String::from_utf8_lossy(bytes).into_owned());
            match messages.next(&mut buf) {
                Ok(None) => break,
                Ok(Some(Message::Whole(range))) => heard.push(text(&buf[range])),
                Ok(Some(Message::Assembled(message))) => heard.push(text(&message)),
                Ok(Some(Message::Close(code))) => heard.push(Heard::Close(code)),
                Err(violation) => {
                    heard.push(Heard::Violation(violation.code, violation.text));
                    return (heard, messages.take_ping());
                }
            }
        }
        let done = messages.keep_from();
        buf.drain(..done);
        messages.shift(done);
    }
    (heard, messages.take_ping())
}

fn all(input: &[u8]) -> Vec<Heard> {
    hear(1000, input, &[]).0
}

fn text(text: &str) -> Heard {
    Heard::Text(text.to_owned())
}

#[test]
fn the_examples_of_the_rfc() {
    // §5.7.
    let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(all(&masked), [text("Hello")]);
    let mut out = Vec::new();
    let at = write_text(&mut out, |out| out.extend_from_slice(b"Hello"));
    assert_eq!(out, [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
    assert_eq!(&out[at], b"Hello");
    // §1.3.
    assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ==").as_deref(), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    for wrong in ["", "dGhlIHNhbXBsZSBub25j", "dGhlIHNhbXBsZSBub25jZQ", "?GhlIHNhbXBsZSBub25jZQ=="] {
        assert_eq!(accept_key(wrong), None, "{wrong}");
    }
}

#[test]
fn our_frames_have_the_shortest_header() {
    for (length, header) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
        let mut out = b"before".to_vec();
        let at = write_text(&mut out, |out| out.extend(std::iter::repeat_n(b'x', length)));
        assert_eq!((at.start, at.end), (6 + header, 6 + header + length));
        assert!(out.starts_with(b"before\x81") && out[at].iter().all(|b| *b == b'x'));
    }
    let mut out = Vec::new();
    write_close(&mut out, Some(code::NORMAL), &"x".repeat(200));
    assert_eq!((out.len(), &out[..4]), (127, &[0x88, 125, 3, 0xe8][..]));
}

#[test]
fn control_frames_come_between_fragments() {
    let input = [frame(0x01, b"<a"), frame(0x89, b"one"), frame(0x00, b""), frame(0x89, b"two"), frame(0x80, b"/>")];
    let (heard, ping) = hear(1000, &input.concat(), &[]);
    assert_eq!(heard, [text("<a/>")]);
    assert_eq!(ping.as_deref(), Some(&b"two"[..]), "only the last ping is answered");
    assert_eq!(all(&[frame(0x8a, b"pong"), frame(0x81, b"x")].concat()), [text("x")]);
}

#[test]
fn what_is_against_the_protocol_ends_it() {
    let long = vec![b'x'; 1001];
    let huge = [&[0x81, 0xff][..], &[0x80, 0, 0, 0, 0, 0, 0, 0], &MASK].concat();
    let rows = [
        (vec![0x81, 0x01, b'x'], code::PROTOCOL),
        (frame(0xc1, b"x"), code::PROTOCOL),
        (frame(0x83, b"x"), code::PROTOCOL),
        (frame(0x8b, b"x"), code::PROTOCOL),
        (frame(0x09, b"x"), code::PROTOCOL),
        (frame(0x89, &[b'x'; 126]), code::PROTOCOL),
        (frame(0x80, b"x"), code::PROTOCOL),
        ([frame(0x01, b"x"), frame(0x81, b"y")].concat(), code::PROTOCOL),
        ([frame(0x01, b"x"), frame(0x82, b"y")].concat(), code::PROTOCOL),
        (frame(0x88, b"x"), code::PROTOCOL),
        (frame(0x88, &[3, 0xec]), code::PROTOCOL),
        (frame(0x88, &[3, 0xe8, 0xff]), code::NOT_UTF8),
        ([&[0x81, 0xfe, 0, 1][..], &MASK, b"x"].concat(), code::PROTOCOL),
        (huge, code::PROTOCOL),
        (frame(0x82, b"x"), code::UNSUPPORTED),
        (frame(0x81, &long), code::TOO_BIG),
        ([frame(0x01, &long[..600]), frame(0x80, &long[..401])].concat(), code::TOO_BIG),
    ];
    for (input, expected) in rows {
        let heard = all(&input);
        let good = matches!(heard.as_slice(), [Heard::Violation(code, _)] if *code == expected);
        assert!(good, "{:x?} gave {heard:?}", &input[..input.len().min(20)]);
    }
    assert_eq!(all(&frame(0x81, &long[..1000])).len(), 1, "exactly the limit");
}

#[test]
fn nothing_is_read_behind_a_close_frame() {
    let behind = |close: Vec<u8>| all(&[close, frame(0x82, b"x")].concat());
    assert_eq!(behind(frame(0x88, b"")), [Heard::Close(None)]);
    assert_eq!(behind(frame(0x88, &[3, 0xe9, b'b', b'y', b'e'])), [Heard::Close(Some(1001))]);
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        8 => Just(0x81u8),
        4 => Just(0x01),
        6 => Just(0x00),
        6 => Just(0x80),
        3 => Just(0x89),
        2 => Just(0x8a),
        1 => Just(0x88),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        8 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => proptest::collection::vec(any::<u8>(), 100..400),
    ];
    (first, payload).prop_map(|(first, payload)| frame(first, &payload))
}

proptest! {
    /// However the bytes fall into chunks, the same is heard.
    #[test]
    fn chunks_make_no_difference(
        frames in proptest::collection::vec(any_frame(), 0..12),
        noise in proptest::collection::vec(any::<u8>(), 0..8),
        cuts in proptest::collection::vec(1usize..60, 0..80),
    ) {
        let input = [frames.concat(), noise].concat();
        let whole = hear(300, &input, &[]);
        prop_assert_eq!(&whole, &hear(300, &input, &cuts));
        prop_assert_eq!(&whole, &hear(300, &input, &vec![1; input.len()]));
    }

    /// Whatever is written is read again, however it was fragmented.
    #[test]
    fn messages_come_back(messages in proptest::collection::vec(("[a-z<>/]{0,200}", 1usize..40), 1..6), ping in any::<bool>()) {
        let mut input = Vec::new();
        for (message, size) in &messages {
            let mut parts = message.as_bytes().chunks(*size).peekable();
            let mut opcode = 0x01;
            loop {
                let part = parts.next().unwrap_or_default();
                let last = parts.peek().is_none();
                input.extend(frame(opcode | if last { 0x80 } else { 0 }, part));
                if last { break; }
                if ping { input.extend(frame(0x89, b"ping")); }
                opcode = 0;
            }
        }
        let expected: Vec<Heard> = messages.iter().map(|(message, _)| text(message)).collect();
        prop_assert_eq!(hear(1000, &input, &[7, 1, 30]).0, expected);
    }

    /// Whatever comes, nothing panics, and what is kept is bounded.
    #[test]
    fn nothing_is_fatal(input in proptest::collection::vec(any::<u8>(), 0..400)) {
        hear(100, &input, &[13; 40]);
    }
}
