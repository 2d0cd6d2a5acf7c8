//! The menu as the toolkit knows it. A menu that only changes its words keeps its items,
//! so that it does not close under the pointer.

use tauri::menu::{IsMenuItem, Menu, MenuItem, PredefinedMenuItem, Submenu};
use tauri::{AppHandle, Wry};

use super::picture::Line;

/// A menu and the lines it shows.
pub(crate) struct ShownMenu {
    menu: Menu<Wry>,
    lines: Vec<Line>,
    /// Those that have words, in the order of the lines, each before what is in it.
    worded: Vec<Worded>,
}

enum Worded {
    Item(MenuItem<Wry>),
    Submenu(Submenu<Wry>),
}

impl ShownMenu {
    pub(crate) fn build(app: &AppHandle, lines: Vec<Line>) -> tauri::Result<Self> {
        let menu = Menu::new(app)?;
        let mut worded = Vec::new();
        fill(app, &lines, &mut worded, &|item| menu.append(item))?;
        Ok(Self {
            menu,
            lines,
            worded,
        })
    }

    pub(crate) fn menu(&self) -> &Menu<Wry> {
        &self.menu
    }

    /// Shows other lines: in this menu where only words differ, else in the one returned.
    pub(crate) fn change_to(
        &mut self,
        app: &AppHandle,
        lines: Vec<Line>,
    ) -> tauri::Result<Option<Self>> {
        if !same_shape(&self.lines, &lines) {
            return Self::build(app, lines).map(Some);
        }
        let (old, new) = (all_words(&self.lines), all_words(&lines));
        for ((item, old), new) in self.worded.iter().zip(old).zip(new) {
            if old != new {
                match item {
                    Worded::Item(item) => item.set_text(new)?,
                    Worded::Submenu(submenu) => submenu.set_text(new)?,
                }
            }
        }
        self.lines = lines;
        Ok(None)
    }
}

type Append<'a> = &'a dyn Fn(&dyn IsMenuItem<Wry>) -> tauri::Result<()>;

fn fill(
    app: &AppHandle,
    lines: &[Line],
    worded: &mut Vec<Worded>,
    append: Append<'_>,
) -> tauri::Result<()> {
    for line in lines {
        match line {
            Line::Words(words) => {
                let item = MenuItem::new(app, words, false, None::<&str>)?;
                append(&item)?;
                worded.push(Worded::Item(item));
            }
            Line::Do(action, words) => {
                let item = MenuItem::with_id(app, action.id(), words, true, None::<&str>)?;
                append(&item)?;
                worded.push(Worded::Item(item));
            }
            Line::More(words, inside) => {
                let submenu = Submenu::new(app, words, true)?;
                worded.push(Worded::Submenu(submenu.clone()));
                fill(app, inside, worded, &|item| submenu.append(item))?;
                append(&submenu)?;
            }
            Line::Rule => append(&PredefinedMenuItem::separator(app)?)?,
        }
    }
    Ok(())
}

/// Whether two menus do the same and differ in words at most.
fn same_shape(a: &[Line], b: &[Line]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|pair| match pair {
            (Line::Words(_), Line::Words(_)) | (Line::Rule, Line::Rule) => true,
            (Line::Do(a, _), Line::Do(b, _)) => a == b,
            (Line::More(_, a), Line::More(_, b)) => same_shape(a, b),
            _ => false,
        })
}

/// The words in the order in which [`fill`] made their items.
fn all_words(lines: &[Line]) -> Vec<&str> {
    let mut words = Vec::new();
    for line in lines {
        match line {
            Line::Words(text) | Line::Do(_, text) => words.push(text.as_str()),
            Line::More(text, inside) => {
                words.push(text);
                words.extend(all_words(inside));
            }
            Line::Rule => {}
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::Action;

    #[test]
    fn only_a_change_of_what_is_done_makes_a_new_menu() {
        let menu = |words: &str, action: Action| {
            vec![
                Line::Words(words.into()),
                Line::More(words.into(), vec![Line::Do(action, words.into())]),
                Line::Rule,
            ]
        };
        let quiet = menu("quiet", Action::NewRun);
        assert!(same_shape(&quiet, &menu("loud", Action::NewRun)));
        assert!(!same_shape(&quiet, &menu("quiet", Action::PauseAll)));
        assert!(!same_shape(&quiet, &quiet[..2]));
        assert_eq!(all_words(&quiet), ["quiet"; 3]);
    }
}
