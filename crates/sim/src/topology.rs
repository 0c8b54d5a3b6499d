//! Which paths a partition cuts.

use consensus::Chance;

/// Directed pairs of members: nothing passes from the first to the second.
pub(crate) type Cuts = Vec<(usize, usize)>;

/// Everything between two groups.
pub(crate) fn partition(members: usize, chance: &mut Chance) -> Cuts {
    let side = sides(members, chance);
    all_pairs(members).filter(|&(a, b)| side[a] != side[b]).collect()
}

/// Two groups, joined by one member that hears both.
pub(crate) fn bridge(members: usize, chance: &mut Chance) -> Cuts {
    let side = sides(members, chance);
    let joint = chance.below(members as u64) as usize;
    all_pairs(members).filter(|&(a, b)| side[a] != side[b] && a != joint && b != joint).collect()
}

/// Each member hears only its two neighbours.
pub(crate) fn ring(members: usize) -> Cuts {
    let next = |a: usize| (a + 1) % members;
    all_pairs(members).filter(|&(a, b)| next(a) != b && next(b) != a).collect()
}

/// Everything to and from one member, or only one of both.
pub(crate) fn isolate(members: usize, one: usize, chance: &mut Chance) -> Cuts {
    let (hears, speaks) = match chance.below(4) {
        0 => (true, false),
        1 => (false, true),
        _ => (false, false),
    };
    all_pairs(members).filter(|&(a, b)| a == one && !speaks || b == one && !hears).collect()
}

/// One direction between one pair, or from one member to several.
pub(crate) fn one_way(members: usize, chance: &mut Chance) -> Cuts {
    let from = chance.below(members as u64) as usize;
    let some = 1 + chance.below(members as u64) as usize;
    let mut others: Vec<usize> = (0..members).filter(|&other| other != from).collect();
    shuffle(&mut others, chance);
    let inwards = chance.one_in(1, 2);
    others.into_iter().take(some).map(|other| if inwards { (other, from) } else { (from, other) }).collect()
}

fn sides(members: usize, chance: &mut Chance) -> Vec<bool> {
    (0..members).map(|_| chance.one_in(1, 2)).collect()
}

fn all_pairs(members: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..members).flat_map(move |a| (0..members).map(move |b| (a, b))).filter(|(a, b)| a != b)
}

/// Any order, each as likely.
pub(crate) fn shuffle<T>(items: &mut [T], chance: &mut Chance) {
    for at in (1..items.len()).rev() {
        items.swap(at, chance.below(at as u64 + 1) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_ring_of_five_everybody_keeps_two_neighbours() {
        let cuts = ring(5);
        for member in 0..5 {
            assert_eq!(cuts.iter().filter(|&&(a, _)| a == member).count(), 2);
        }
        assert!(ring(3).is_empty());
    }

    #[test]
    fn a_bridge_hears_everybody() {
        for seed in 0..50 {
            let cuts = bridge(5, &mut Chance::new(seed));
            assert!((0..5).any(|joint| cuts.iter().all(|&(a, b)| a != joint && b != joint)));
        }
    }
}
