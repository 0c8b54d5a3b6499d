//! The page in `docs/`: a table for each load.

use super::{Better, Compared, Load, picture};
use std::fmt::Write as _;

/// A page, and what is measured for it.
pub(super) struct Page {
    /// As after `quorate bench`, and in the names of the files.
    pub(super) name: &'static str,
    /// What `--peer` calls the original.
    pub(super) peer: &'static str,
    /// What readers call it.
    pub(super) original: &'static str,
    /// What all loads are run with.
    pub(super) more: &'static [&'static str],
    pub(super) loads: &'static [Load],
    /// How the page begins.
    pub(super) head: &'static str,
    /// What is drawn: load, figure, and what it is called.
    pub(super) bars: &'static [(usize, usize, &'static str)],
}

impl Page {
    pub(super) fn text(&self, compared: &[Compared]) -> String {
        let mut text = self.head.to_owned();
        for Compared { load, theirs, ours } in compared {
            write!(text, "\n## {}\n\n| | {} | Quorate | ratio |\n|---|---:|---:|---:|\n", load.title, self.original)
                .expect("a string takes everything");
            for (index, figure) in load.figures.iter().enumerate() {
                let (theirs, ours) = (theirs[index], ours[index]);
                // Above 1: Quorate is better by that factor.
                let ratio = if figure.better == Better::Higher { ours / theirs } else { theirs / ours };
                let ratio = if ratio.is_finite() { format!("{ratio:.1} x") } else { "–".to_owned() };
                writeln!(text, "| {} | {} | {} | {ratio} |", figure.what, round(theirs), round(ours))
                    .expect("a string takes everything");
            }
        }
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        write!(text, "\nA ratio above 1 is in Quorate's favour. Measured on {cores} cores.\n")
            .expect("a string takes everything");
        text
    }

    pub(super) fn picture(&self, compared: &[Compared]) -> String {
        let pair = |(load, figure, unit): &(usize, usize, &str)| {
            let Compared { load, theirs, ours } = &compared[*load];
            picture::Pair { title: format!("{}: {unit}", load.title), theirs: theirs[*figure], ours: ours[*figure] }
        };
        picture::draw(self.original, &self.bars.iter().map(pair).collect::<Vec<_>>())
    }
}

pub(super) fn round(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

#[cfg(test)]
mod tests {
    use super::super::{etcd, zookeeper};
    use super::*;

    #[test]
    fn a_page_has_a_table_for_each_load_and_a_picture_of_what_costs_money() {
        for page in [&etcd::PAGE, &zookeeper::PAGE] {
            let figures = |load: &Load, value: f64| vec![value; load.figures.len()];
            let compare = |load| Compared { load, theirs: figures(load, 30.0), ours: figures(load, 10.0) };
            let compared: Vec<Compared> = page.loads.iter().map(compare).collect();
            let text = page.text(&compared);
            assert_eq!(text.matches("\n## ").count(), page.loads.len());
            assert!(text.contains("| 30.00 | 10.00 | 3.0 x |") && text.contains("| 30.00 | 10.00 | 0.3 x |"), "{text}");
            assert_eq!(page.picture(&compared).matches(page.original).count(), page.bars.len());
        }
    }
}
