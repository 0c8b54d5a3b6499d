//! Session ids and passwords: both are computed, so that a session can move between Java's servers and ours.

/// What Java mixes into a session's id before it seeds its generator (`ZooKeeperServer.superSecret`).
const SECRET: i64 = 0xB341_5C00;

/// A session's password: the first bytes of `java.util.Random`, seeded with its id (`ZooKeeperServer.generatePasswd`). Whoever knows
/// this rule and an id knows the password; it keeps clients apart, not enemies.
pub fn password(session: i64) -> [u8; 16] {
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const MASK: u64 = (1 << 48) - 1;
    let mut state = ((session ^ SECRET) as u64 ^ MULTIPLIER) & MASK;
    let mut password = [0; 16];
    for four in password.chunks_exact_mut(4) {
        state = (state.wrapping_mul(MULTIPLIER) + 0xB) & MASK;
        // `Random.next(32)` is the upper part; `nextBytes` gives it out from its lowest byte on.
        four.copy_from_slice(&((state >> 16) as u32).to_le_bytes());
    }
    password
}

/// The id of the first session of a server that starts now: its `myid` above, time below (`SessionTrackerImpl.initializeNextSessionId`).
/// The following ones count on from there.
pub fn first_id(server: u64, millis: u64) -> i64 {
    let id = (server << 56 | (millis << 24) >> 8) as i64;
    // The id that marks containers is nobody's.
    if id == i64::MIN { id + 1 } else { id }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The values were computed by Java.
    #[test]
    fn passwords_are_javas() {
        for (session, expected) in [
            (1, "054cc74a37327db215e702e20c73f005"),
            (0x0001_0000_0000_0000, "f22acd4a97e69d6d20a49bb638eadb38"),
            (0x0100_0123_4567_0000, "4be494d27cc739baa123244a251a7415"),
            (0x0300_0abc_def1_2345, "e7702c0c2452d662998db73ba0a4f013"),
            (-2, "0dd532b5c441e3927c04b55e50fd9421"),
        ] {
            assert_eq!(hex(&password(session)), expected, "session 0x{session:x}");
        }
    }

    #[test]
    fn ids_begin_with_the_server() {
        assert_eq!(first_id(3, 0x1_2345_6789), 0x0301_2345_6789_0000);
        assert_eq!(first_id(1, 0xff00_0000_0000), 0x0100_0000_0000_0000, "the oldest bits of the time are lost");
        assert_eq!(first_id(128, 0), i64::MIN + 1);
    }
}
