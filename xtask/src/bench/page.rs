//! The page in `docs/`: a table for each load.

use super::{Compared, Load, ROUNDS, picture};
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
        for compared in compared {
            let load = compared.load;
            write!(text, "\n## {}\n\n| | {} | Quorate | ratio | of each round |\n", load.title, self.original)
                .expect("a string takes everything");
            text.push_str("|---|---:|---:|---:|---|\n");
            for (index, figure) in load.figures.iter().enumerate() {
                let (theirs, ours) = (round(compared.theirs(index)), round(compared.ours(index)));
                let ratio = ratio(compared.median(|round| round.ratio(index, figure.better)));
                let each = compared.rounds.iter().map(|round| self::ratio(round.ratio(index, figure.better)));
                let each = each.collect::<Vec<_>>().join(", ");
                writeln!(text, "| {} | {theirs} | {ours} | {ratio} x | {each} |", figure.what)
                    .expect("a string takes everything");
            }
        }
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        write!(
            text,
            "\nA ratio above 1 is in Quorate's favour. Each load was measured {ROUNDS} times on {cores} cores; the figures are those in the \
             middle.\n"
        )
        .expect("a string takes everything");
        text
    }

    pub(super) fn picture(&self, compared: &[Compared]) -> String {
        let pair = |(load, figure, unit): &(usize, usize, &str)| {
            let compared = &compared[*load];
            let (theirs, ours) = (compared.theirs(*figure), compared.ours(*figure));
            picture::Pair { title: format!("{}: {unit}", compared.load.title), theirs, ours }
        };
        picture::draw(self.original, &self.bars.iter().map(pair).collect::<Vec<_>>())
    }
}

pub(super) fn round(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn ratio(ratio: f64) -> String {
    if ratio.is_finite() { format!("{ratio:.1}") } else { "–".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::{Round, etcd, zookeeper};
    use super::*;

    #[test]
    fn a_page_has_a_table_for_each_load_and_a_picture_of_what_costs_money() {
        for page in [&etcd::PAGE, &zookeeper::PAGE] {
            let figures = |load: &Load, value: f64| vec![value; load.figures.len()];
            let round = |load, theirs| Round { theirs: figures(load, theirs), ours: figures(load, 10.0) };
            let rounds = |load| vec![round(load, 20.0), round(load, 90.0), round(load, 30.0)];
            let compared: Vec<Compared> = page.loads.iter().map(|load| Compared { load, rounds: rounds(load) }).collect();
            let text = page.text(&compared);
            assert_eq!(text.matches("\n## ").count(), page.loads.len());
            assert!(text.contains("| 30.00 | 10.00 | 3.0 x | 2.0, 9.0, 3.0 |"), "{text}");
            assert!(text.contains("| 30.00 | 10.00 | 0.3 x | 0.5, 0.1, 0.3 |"), "{text}");
            assert_eq!(page.picture(&compared).matches(page.original).count(), page.bars.len());
        }
    }
}
