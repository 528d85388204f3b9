//! `Range` and `If-None-Match` (RFC 9110 §13, §14).

use std::ops::Range;

/// What part of a file is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it: nothing else was asked for, or in a way we may ignore (§14.2: several ranges, other units).
    Whole,
    /// These bytes.
    Some(Range<u64>),
    /// Bytes it does not have (§15.5.17).
    None,
}

/// Reads a `Range` header for a file of this size.
pub(super) fn part(header: &str, size: u64) -> Part {
    let Some((unit, set)) = header.split_once('=') else { return Part::Whole };
    let Some((first, last)) = set.trim().split_once('-').filter(|_| unit.trim().eq_ignore_ascii_case("bytes")) else {
        return Part::Whole;
    };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // More than fits is more than there is.
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let range = match (first.trim(), last.trim()) {
        ("", suffix) => match number(suffix) {
            Some(length) => size.saturating_sub(length)..if length == 0 { 0 } else { size },
            None => return Part::Whole,
        },
        (first, "") => match number(first) {
            Some(first) => first..size,
            None => return Part::Whole,
        },
        (first, last) => match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(size),
            _ => return Part::Whole,
        },
    };
    if range.start < range.end { Part::Some(range) } else { Part::None }
}

/// Does `If-None-Match` name this tag? Compared weakly (§13.1.2).
pub(in crate::http) fn names(header: &str, tag: &str) -> bool {
    header.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is asked for, what is sent lies in the file and is not nothing.
        #[test]
        fn a_part_lies_in_its_file(header in "(bytes ?=)?[0-9 ,-]{0,25}|.{0,20}", size in 1u64..) {
            if let Part::Some(range) = part(&header, size) {
                prop_assert!(range.start < range.end && range.end <= size);
            }
        }
    }

    #[test]
    fn ranges_of_ten_bytes() {
        let rows = [
            ("bytes=0-3", Part::Some(0..4)),
            ("Bytes = 0-3", Part::Some(0..4)),
            ("bytes=4-", Part::Some(4..10)),
            ("bytes=-3", Part::Some(7..10)),
            ("bytes=-30", Part::Some(0..10)),
            ("bytes=0-99999999999999999999999", Part::Some(0..10)),
            ("bytes=9-9", Part::Some(9..10)),
            ("bytes=10-", Part::None),
            ("bytes=10-12", Part::None),
            ("bytes=-0", Part::None),
            ("bytes=99999999999999999999999-", Part::None),
            ("bytes=3-2", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("lines=0-1", Part::Whole),
            ("", Part::Whole),
        ];
        for (header, expected) in rows {
            assert_eq!(part(header, 10), expected, "{header}");
        }
    }

    #[test]
    fn tags_are_compared_weakly() {
        for (header, found) in
            [("\"a\"", true), ("W/\"a\"", true), ("\"b\", \"a\"", true), ("*", true), ("\"b\"", false), ("a", false)]
        {
            assert_eq!(names(header, "\"a\""), found, "{header}");
        }
    }
}
