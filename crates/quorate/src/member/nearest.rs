//! Which known name somebody may have meant.

/// The known name nearest to `given`, if one is near enough to be worth a guess.
pub(crate) fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let worth_a_guess = (given.len() / 3).max(2);
    known.map(|name| (distance(given, name), name)).min().filter(|(far, _)| *far <= worth_a_guess).map(|(_, name)| name)
}

/// How many letters must be inserted, deleted, replaced or swapped with their neighbour to make `b` of `a` (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_what_was_meant() {
        let known = ["name", "data-dir", "listen-client-urls", "advertise-client-urls"];
        for (given, meant) in [
            ("nmae", Some("name")),
            ("datadir", Some("data-dir")),
            ("listen-client-url", Some("listen-client-urls")),
            ("frobnicate", None),
        ] {
            assert_eq!(nearest(given, known.into_iter()), meant, "{given}");
        }
    }
}
