//! Tables that line up, whatever the script.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::print::{Look, Printer, safe};

/// One cell.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    look: Look,
}

/// A cell with a look.
pub(crate) fn looking(text: impl AsRef<str>, look: Look) -> Cell {
    Cell {
        text: safe(text.as_ref()).replace(['\n', '\t'], " "),
        look,
    }
}

/// A plain cell.
pub(crate) fn cell(text: impl AsRef<str>) -> Cell {
    looking(text, Look::Plain)
}

/// Where a column's text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Rows below headings. The last column is shortened to fit the width.
pub(crate) struct Table {
    heads: Vec<(&'static str, Align)>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(crate) fn new(heads: &[(&'static str, Align)]) -> Self {
        Self {
            heads: heads.to_vec(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.heads.len(), "a cell for every heading");
        self.rows.push(cells);
    }

    pub(crate) fn show(&self, print: &Printer) -> String {
        let heads: Vec<Cell> = self
            .heads
            .iter()
            .map(|(name, _)| looking(name, Look::Faint))
            .collect();
        let lines: Vec<&Vec<Cell>> = std::iter::once(&heads).chain(&self.rows).collect();
        let columns = self.heads.len();
        let widths: Vec<usize> = (0..columns)
            .map(|i| {
                lines
                    .iter()
                    .map(|line| line[i].text.width())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let before_last: usize = widths.iter().take(columns - 1).map(|w| w + 2).sum();
        let room = print.width.saturating_sub(before_last).max(10);
        let mut text = String::new();
        for line in lines {
            let mut shown = String::new();
            for (i, cell) in line.iter().enumerate() {
                let last = i + 1 == columns;
                let content = if last {
                    shorten(&cell.text, room)
                } else {
                    cell.text.clone()
                };
                let pad = " ".repeat(widths[i].saturating_sub(content.width()));
                let content = print.look(&content, cell.look);
                match (self.heads[i].1, last) {
                    (Align::Right, true) => shown.push_str(&format!("{pad}{content}")),
                    (Align::Right, false) => shown.push_str(&format!("{pad}{content}  ")),
                    (Align::Left, true) => shown.push_str(&content),
                    (Align::Left, false) => shown.push_str(&format!("{content}{pad}  ")),
                }
            }
            text.push_str(shown.trim_end());
            text.push('\n');
        }
        text
    }
}

/// The text cut to so many columns, with an ellipsis where something is missing.
pub(crate) fn shorten(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let (mut cut, mut used) = (String::new(), 0);
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used >= columns {
            break;
        }
        cut.push(c);
    }
    cut.push('…');
    cut
}
