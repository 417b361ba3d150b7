//! Columns of text. A row with fewer cells than there are columns is a remark and widens nothing.

/// How a column is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Sets rows in columns two spaces apart, the heading first.
pub(crate) fn render(columns: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    let heading: Vec<String> = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    let width = |column: usize| {
        let full = rows.iter().chain([&heading]).filter(|row| row.len() == columns.len());
        let cells = full.filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut text = String::new();
    for row in [&heading].into_iter().chain(rows) {
        text.push_str(line(columns, &widths, row).trim_end());
        text.push('\n');
    }
    text
}

fn line(columns: &[(&str, Align)], widths: &[usize], row: &[String]) -> String {
    let cells = row.iter().enumerate().map(|(i, cell)| {
        let gap = " ".repeat(widths[i].saturating_sub(cell.chars().count()));
        match columns[i].1 {
            Align::Left => format!("{cell}{gap}"),
            Align::Right => format!("{gap}{cell}"),
        }
    });
    cells.collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let columns = [("UNIT", Align::Left), ("TASKS", Align::Right), ("WHAT", Align::Left)];
        let rows = [row(["├─ä.scope", "7", "a b"]), row(["x", "1000", ""])];
        insta::assert_snapshot!(render(&columns, &rows), @r"
        UNIT       TASKS  WHAT
        ├─ä.scope      7  a b
        x           1000
        ");
    }
}
