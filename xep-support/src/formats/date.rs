//! Points in time on the wire (XEP-0082 DateTime): always printed in UTC with `Z`, read with any offset.
//!
//! Everywhere else a point in time is an `i64`: microseconds since 1970-01-01T00:00:00Z, leap seconds not counted.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

/// 0000-01-01T00:00:00Z, the first moment the format has.
const MICROS_MIN: i64 = -62_167_219_200_000_000;

/// 9999-12-30T22:00:00Z, the last moment `jiff` takes: it could print it in every time zone.
const MICROS_MAX: i64 = 253_402_207_200_000_000;

/// How many digits follow the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// None.
    Seconds,
    /// Three. COMPAT: the date parser of Apple's Foundation, the base of several clients, reads three digits or none.
    Millis,
    /// Six: all we know.
    Micros,
}

/// The text is not a DateTime of XEP-0082.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a date and time by XEP-0082")]
pub struct DateError;

/// Prints a point in time; digits beyond the precision are cut off. What is before the year 0 or after 9999 becomes the
/// first or last moment the format has.
pub fn format(micros: i64, precision: Precision) -> String {
    let mut out = String::with_capacity("1969-07-21T02:56:15.123456Z".len());
    write(&mut out, micros, precision);
    out
}

/// Appends what [`format()`] gives.
pub fn write(out: &mut String, micros: i64, precision: Precision) {
    let micros = micros.clamp(MICROS_MIN, MICROS_MAX);
    let timestamp = Timestamp::from_microsecond(micros).expect("clamped to what jiff can hold");
    let t = Offset::UTC.to_datetime(timestamp);
    let (date, time) = (t.date(), t.time());
    let fraction = time.subsec_nanosecond() / 1000;
    // Writing into a String cannot fail.
    let _ = write!(
        out,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        date.year(),
        date.month(),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    );
    let _ = match precision {
        Precision::Seconds => Ok(()),
        Precision::Millis => write!(out, ".{:03}", fraction / 1000),
        Precision::Micros => write!(out, ".{fraction:06}"),
    };
    out.push('Z');
}

/// Reads a point in time: `CCYY-MM-DDThh:mm:ss[.sss](Z|±hh:mm)`, with any number of digits after the second, of which
/// six count.
pub fn parse(text: &str) -> Result<i64, DateError> {
    read(text.as_bytes()).ok_or(DateError)
}

fn read(text: &[u8]) -> Option<i64> {
    let (head, rest) = text.split_at_checked("1969-07-21T02:56:15".len())?;
    for (at, separator) in [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')] {
        if head[at] != separator {
            return None;
        }
    }
    let year = 100 * two(&head[0..2])? + two(&head[2..4])?;
    let [month, day] = [narrow(&head[5..7])?, narrow(&head[8..10])?];
    let [hour, minute, second] = [narrow(&head[11..13])?, narrow(&head[14..16])?, narrow(&head[17..19])?];
    let (fraction, zone) = fraction(rest)?;
    let date = Date::new(i16::try_from(year).ok()?, month, day).ok()?;
    let time = jiff::civil::Time::new(hour, minute, second, 0).ok()?;
    let local = Offset::UTC.to_timestamp(date.to_datetime(time)).ok()?.as_microsecond();
    Some(local + fraction - offset_seconds(zone)? * 1_000_000)
}

/// The microseconds of a fraction that starts with a point, and what follows it.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else {
        return Some((0, text));
    };
    let count = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    let micros = (0..6).fold(0, |sum, i| 10 * sum + if i < count { i64::from(digits[i] - b'0') } else { 0 });
    (count > 0).then(|| (micros, &digits[count..]))
}

fn offset_seconds(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (two(&[*h1, *h2])?, two(&[*m1, *m2])?);
            let seconds = 3600 * hours + 60 * minutes;
            // XML Schema part 2 §3.2.7.3.
            let good = minutes < 60 && seconds <= 14 * 3600;
            good.then_some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn two(digits: &[u8]) -> Option<i64> {
    match digits {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Some(i64::from(10 * (a - b'0') + (b - b'0'))),
        _ => None,
    }
}

fn narrow(digits: &[u8]) -> Option<i8> {
    i8::try_from(two(digits)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn printing() {
        let rows = [
            (0, Precision::Seconds, "1970-01-01T00:00:00Z"),
            (0, Precision::Micros, "1970-01-01T00:00:00.000000Z"),
            (1_700_000_000_123_456, Precision::Seconds, "2023-11-14T22:13:20Z"),
            (1_700_000_000_123_456, Precision::Millis, "2023-11-14T22:13:20.123Z"),
            (1_700_000_000_123_456, Precision::Micros, "2023-11-14T22:13:20.123456Z"),
            (-1, Precision::Micros, "1969-12-31T23:59:59.999999Z"),
            (i64::MIN, Precision::Seconds, "0000-01-01T00:00:00Z"),
            (i64::MAX, Precision::Seconds, "9999-12-30T22:00:00Z"),
        ];
        for (micros, precision, expected) in rows {
            assert_eq!(format(micros, precision), expected);
        }
    }

    #[test]
    fn reading() {
        let rows = [
            // XEP-0082 §3.2.
            ("1969-07-21T02:56:15Z", Some(-14_159_025_000_000)),
            ("1969-07-20T21:56:15-05:00", Some(-14_159_025_000_000)),
            ("1969-07-21T04:26:15.000+01:30", Some(-14_159_025_000_000)),
            ("1970-01-01T00:00:00.5Z", Some(500_000)),
            ("1970-01-01T00:00:00.1234569Z", Some(123_456)),
            ("1970-01-01T00:00:00.000000000000000000000000001Z", Some(0)),
            ("2024-02-29T00:00:00Z", Some(1_709_164_800_000_000)),
            ("2023-02-29T00:00:00Z", None),
            ("1970-01-01T00:00:00", None),
            ("1970-01-01T00:00:00.Z", None),
            ("1970-01-01T00:00:00z", None),
            ("1970-01-01t00:00:00Z", None),
            ("1970-01-01 00:00:00Z", None),
            ("1970-01-01T24:00:00Z", None),
            ("1970-01-01T00:00:60Z", None),
            ("1970-01-01T00:00:00+0100", None),
            ("1970-01-01T00:00:00+15:00", None),
            ("1970-01-01T00:00:00+01:60", None),
            ("1970-01-01T00:00:00ZZ", None),
            ("1970-00-01T00:00:00Z", None),
            ("+970-01-01T00:00:00Z", None),
            ("-0001-01-01T00:00:00Z", None),
            ("1970-01-01", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(parse(text).ok(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_again(micros in MICROS_MIN..=MICROS_MAX) {
            prop_assert_eq!(parse(&format(micros, Precision::Micros)), Ok(micros));
            prop_assert_eq!(parse(&format(micros, Precision::Millis)), Ok(micros.div_euclid(1000) * 1000));
        }

        #[test]
        fn any_number_can_be_printed(micros in any::<i64>()) {
            prop_assert!(parse(&format(micros, Precision::Seconds)).is_ok());
        }

        #[test]
        fn garbage_never_panics(text in "\\PC{0,30}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}[.0-9]{0,4}[Z0-9:+-]{0,6}") {
            let _ = parse(&text);
        }
    }
}
