//! QR codes of links, for terminals and for pages.

use qrcode::{Color, EcLevel, QrCode};

/// The light border that readers need (ISO/IEC 18004 §6.3.8).
const QUIET: usize = 4;

/// A square of dark and light.
pub struct Picture {
    /// With the border.
    width: usize,
    dark: Vec<bool>,
}

impl Picture {
    /// The code of a text; `None` if it is too long for one.
    pub fn new(text: &str) -> Option<Self> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
        let (inner, colors) = (code.width(), code.to_colors());
        let width = inner + 2 * QUIET;
        let mut dark = vec![false; width * width];
        for (at, color) in colors.into_iter().enumerate() {
            dark[(at / inner + QUIET) * width + at % inner + QUIET] = color == Color::Dark;
        }
        Some(Self { width, dark })
    }

    fn is_dark(&self, x: usize, y: usize) -> bool {
        x < self.width && self.dark.get(y * self.width + x).copied().unwrap_or(false)
    }

    /// Lines of half blocks. With colours it is black on white whatever the terminal is.
    pub fn lines(&self, with_colors: bool) -> String {
        let (on, off) = if with_colors { ("\u{1b}[30;107m", "\u{1b}[0m") } else { ("", "") };
        let mut out = String::new();
        for y in (0..self.width).step_by(2) {
            out.push_str(on);
            for x in 0..self.width {
                out.push(match (self.is_dark(x, y), self.is_dark(x, y + 1)) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                });
            }
            out.push_str(off);
            out.push('\n');
        }
        out
    }

    /// An SVG to stand in a page, black on white. `label` is HTML already.
    pub fn svg(&self, label: &str) -> String {
        use std::fmt::Write as _;
        let mut path = String::new();
        for y in 0..self.width {
            let mut x = 0;
            while x < self.width {
                let run = (x..self.width).take_while(|&at| self.is_dark(at, y)).count();
                if run > 0 {
                    let _ = write!(path, "M{x} {y}h{run}v1h-{run}z");
                }
                x += run.max(1);
            }
        }
        let width = self.width;
        format!(
            "<svg class=\"qr\" role=\"img\" aria-label=\"{label}\" viewBox=\"0 0 {width} {width}\" \
             shape-rendering=\"crispEdges\" xmlns=\"http://www.w3.org/2000/svg\">\
             <rect width=\"{width}\" height=\"{width}\" fill=\"#fff\"/><path fill=\"#000\" d=\"{path}\"/></svg>"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ISO/IEC 18004 §6.3.3: the three corners by which a reader finds the code, and the border around it.
    #[test]
    fn a_code_has_its_corners_and_its_border() {
        let picture = Picture::new("https://im.example/invite/abcdefghijkmnpqrstuvwxyz").expect("a code");
        let end = picture.width - QUIET;
        for (left, top) in [(QUIET, QUIET), (end - 7, QUIET), (QUIET, end - 7)] {
            for at in 0..7 {
                assert!(picture.is_dark(left + at, top) && picture.is_dark(left, top + at));
                assert!(picture.is_dark(left + at, top + 6) && picture.is_dark(left + 6, top + at));
            }
            assert!(!picture.is_dark(left + 1, top + 1) && picture.is_dark(left + 3, top + 3));
        }
        assert!((0..picture.width).all(|at| !picture.is_dark(at, QUIET - 1) && !picture.is_dark(QUIET - 1, at)));
        let lines = picture.lines(false);
        assert_eq!(lines.lines().count(), picture.width.div_ceil(2));
        assert!(lines.lines().all(|line| line.chars().count() == picture.width));
        assert!(picture.svg("a &amp; b").contains("aria-label=\"a &amp; b\""));
        assert!(Picture::new(&"x".repeat(10_000)).is_none());
    }
}
