//! Which files a browser may show by itself. What strangers upload is never a page of ours: only media are shown, and of
//! other types only those are named that no browser runs; everything else is bytes to be saved.

/// Pictures, sounds and films that browsers show without running anything.
const SHOWN: [&str; 24] = [
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/avif",
    "image/bmp",
    "image/heic",
    "image/heif",
    "image/jxl",
    "audio/mpeg",
    "audio/mp4",
    "audio/aac",
    "audio/ogg",
    "audio/opus",
    "audio/flac",
    "audio/wav",
    "audio/webm",
    "audio/amr",
    "audio/3gpp",
    "video/mp4",
    "video/webm",
    "video/ogg",
    "video/quicktime",
    "video/3gpp",
];

/// What may keep its type while it is saved: no script, no style, no mark-up.
const SAVED: [&str; 9] = [
    "text/plain",
    "text/vcard",
    "text/calendar",
    "text/csv",
    "application/pdf",
    "application/zip",
    "application/gzip",
    "application/x-7z-compressed",
    "application/epub+zip",
];

const BYTES: &str = "application/octet-stream";

/// How a file is to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Presentation {
    /// The `Content-Type`.
    pub(super) kind: &'static str,
    /// May it be shown where it is?
    pub(super) is_inline: bool,
}

/// What to make of the type the uploader gave. Parameters are dropped: a `charset` decides what bytes mean.
pub(super) fn presentation(content_type: Option<&str>) -> Presentation {
    let essence = content_type.map(essence).unwrap_or_default();
    let known = |list: &[&'static str]| list.iter().find(|kind| **kind == essence).copied();
    match (known(&SHOWN), known(&SAVED)) {
        (Some(kind), _) => Presentation { kind, is_inline: true },
        (None, Some(kind)) => Presentation { kind, is_inline: false },
        (None, None) => Presentation { kind: BYTES, is_inline: false },
    }
}

/// The type without parameters, in lower case.
pub(super) fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// `Content-Disposition` (RFC 6266): the name in a form for all, and as it is.
pub(super) fn disposition(is_inline: bool, name: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    /// RFC 8187 §3.2.1: what stands for itself.
    const OTHERS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    let plain: String =
        name.chars().map(|c| if matches!(c, ' '..='~') && !matches!(c, '"' | '\\' | '%') { c } else { '_' }).collect();
    let shown: String = name.chars().map(|c| if misleads(c) { '_' } else { c }).collect();
    let how = if is_inline { "inline" } else { "attachment" };
    format!("{how}; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(&shown, OTHERS))
}

/// What makes a name look like another one: controls, line ends, and what turns the direction of writing (UAX #9 §2), by
/// which `gpj.exe` is read as `exe.jpg`.
fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_runs_is_shown_or_named() {
        let shown = presentation(Some("Image/PNG; x=y"));
        assert_eq!(shown, Presentation { kind: "image/png", is_inline: true });
        assert_eq!(presentation(Some("application/pdf")), Presentation { kind: "application/pdf", is_inline: false });
        let dangerous = [
            "text/html",
            "image/svg+xml",
            "application/xhtml+xml",
            "text/xml",
            "text/javascript",
            "text/css",
            "application/x-shockwave-flash",
            "multipart/x-mixed-replace",
            "",
            "x",
        ];
        for kind in dangerous.map(Some).into_iter().chain([None]) {
            assert_eq!(presentation(kind), Presentation { kind: BYTES, is_inline: false }, "{kind:?}");
        }
    }

    #[test]
    fn a_name_cannot_break_out_of_its_header() {
        assert_eq!(
            disposition(false, "a\"\r\nSet-Cookie: x\\é.jpg"),
            "attachment; filename=\"a___Set-Cookie: x__.jpg\"; filename*=UTF-8''a%22__Set-Cookie%3A%20x%5C%C3%A9.jpg"
        );
        for turned in ['\u{202e}', '\u{2066}', '\u{200f}', '\u{61c}', '\u{2028}'] {
            let disposition = disposition(true, &format!("a{turned}gpj.exe"));
            assert_eq!(disposition, "inline; filename=\"a_gpj.exe\"; filename*=UTF-8''a_gpj.exe", "{turned:?}");
        }
        assert!(disposition(true, "\u{5e9}.jpg").ends_with("UTF-8''%D7%A9.jpg"), "names are written both ways");
    }
}
