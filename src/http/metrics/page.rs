//! The text format of Prometheus (exposition format 0.0.4).

use crate::histogram::Snapshot;
use std::fmt::Write as _;

/// A page of figures.
#[derive(Default)]
pub(super) struct Page(String);

/// One family of figures: its samples follow.
pub(super) struct Family<'p> {
    page: &'p mut Page,
    name: &'static str,
}

impl Page {
    /// What only grows. Its name ends in `_total`.
    pub(super) fn counter(&mut self, name: &'static str, help: &'static str) -> Family<'_> {
        self.family(name, "counter", help)
    }

    /// What grows and shrinks.
    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str) -> Family<'_> {
        self.family(name, "gauge", help)
    }

    /// How often something was how large; `unit` is how many of what was observed make one of the name's unit.
    pub(super) fn histogram(&mut self, name: &'static str, help: &'static str, all: &Snapshot, unit: f64) {
        let family = self.family(name, "histogram", help);
        let out = &mut family.page.0;
        // A `String` takes everything.
        for (bound, count) in &all.up_to {
            let _ = writeln!(out, "{name}_bucket{{le=\"{}\"}} {count}", *bound as f64 / unit);
        }
        let _ = writeln!(out, "{name}_bucket{{le=\"+Inf\"}} {}", all.count);
        let _ = writeln!(out, "{name}_sum {}\n{name}_count {}", all.sum as f64 / unit, all.count);
    }

    fn family(&mut self, name: &'static str, kind: &str, help: &str) -> Family<'_> {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Family { page: self, name }
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

impl Family<'_> {
    /// Its only sample.
    pub(super) fn is(self, value: impl Into<Figure>) {
        let _ = writeln!(self.page.0, "{} {}", self.name, value.into().0);
    }

    /// One of several, told apart by a label.
    pub(super) fn with(self, label: &str, of: &str, value: impl Into<Figure>) -> Self {
        self.with_all(&[(label, of)], value)
    }

    /// One of several, told apart by these labels.
    pub(super) fn with_all(self, labels: &[(&str, &str)], value: impl Into<Figure>) -> Self {
        let _ = write!(self.page.0, "{}{{", self.name);
        for (at, (label, of)) in labels.iter().enumerate() {
            let of = of.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.page.0, "{}{label}=\"{of}\"", if at > 0 { "," } else { "" });
        }
        let _ = writeln!(self.page.0, "}} {}", value.into().0);
        self
    }
}

/// A number as it is printed.
pub(super) struct Figure(String);

impl From<u64> for Figure {
    fn from(number: u64) -> Self {
        Self(number.to_string())
    }
}

impl From<usize> for Figure {
    fn from(number: usize) -> Self {
        Self(number.to_string())
    }
}

impl From<i64> for Figure {
    fn from(number: i64) -> Self {
        Self(number.to_string())
    }
}

impl From<f64> for Figure {
    fn from(number: f64) -> Self {
        Self(number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::Histogram;

    #[test]
    fn as_prometheus_reads_it() {
        let mut page = Page::default();
        page.gauge("a", "What it is.").with("file", "a\"b\\c\nd", 7u64).with_all(&[("file", "e"), ("of", "f")], 0.5);
        page.counter("b_total", "How often.").is(3usize);
        let histogram = Histogram::new([500, 1_000_000]);
        [250, 2_000_000].into_iter().for_each(|micros| histogram.observe(micros));
        page.histogram("c_seconds", "How long.", &histogram.snapshot(), 1e6);
        let expected = "# HELP a What it is.\n# TYPE a gauge\na{file=\"a\\\"b\\\\c\\nd\"} 7\na{file=\"e\",of=\"f\"} 0.5\n\
            # HELP b_total How often.\n# TYPE b_total counter\nb_total 3\n\
            # HELP c_seconds How long.\n# TYPE c_seconds histogram\nc_seconds_bucket{le=\"0.0005\"} 0\n";
        let text = page.finish();
        assert!(text.starts_with(&expected.replace("} 0\n", "} 1\n")), "{text}");
        assert!(
            text.ends_with("{le=\"1\"} 1\nc_seconds_bucket{le=\"+Inf\"} 2\nc_seconds_sum 2.00025\nc_seconds_count 2\n"),
            "{text}"
        );
    }
}
