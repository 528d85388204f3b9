//! Aligned columns for people.

/// Rows under headings, columns as wide as their widest cell, two spaces apart. Control characters, which other people
/// may have put into a cell, cannot reach the terminal.
pub fn render<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let clean = |cell: &str| cell.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect::<String>();
    let mut lines: Vec<[String; N]> = vec![headings.map(str::to_owned)];
    lines.extend(rows.iter().map(|row| row.each_ref().map(|cell| clean(cell))));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut out = String::new();
    for line in &lines {
        let mut text = String::new();
        for (cell, width) in line.iter().zip(&widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width + 2 - cell.chars().count()));
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_align_and_carry_no_control_characters() {
        let rows = [["a@b".to_owned(), "1".to_owned()], ["größer@b".to_owned(), "\u{1b}[31m".to_owned()]];
        let expected = "ACCOUNT   N\na@b       1\ngrößer@b  \u{fffd}[31m\n";
        assert_eq!(super::render(["ACCOUNT", "N"], &rows), expected);
    }
}
