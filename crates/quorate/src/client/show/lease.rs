//! Leases.

use super::readable;
use super::table::Table;
use etcd::pb::etcdserverpb::{LeaseLeasesResponse, LeaseTimeToLiveResponse};

/// One row, each cell with its heading.
pub(crate) fn lease_table(cells: &[(&str, String)]) -> String {
    let headings: Vec<&str> = cells.iter().map(|(heading, _)| *heading).collect();
    let mut table = Table::new(&headings);
    table.row(cells.iter().map(|(_, cell)| cell.clone()));
    table.text()
}

pub(crate) fn ttl_simple(answer: &LeaseTimeToLiveResponse, keys: bool) -> String {
    if answer.granted_ttl == 0 && answer.ttl == -1 {
        return format!("lease {:016x} already expired\n", answer.id);
    }
    let mut text = format!("lease {:016x} granted with TTL({}s), remaining({}s)", answer.id, answer.granted_ttl, answer.ttl);
    if keys {
        let keys: Vec<String> = answer.keys.iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect();
        text += &format!(", attached keys([{}])", keys.join(" "));
    }
    text + "\n"
}

pub(crate) fn ttl_table(answer: &LeaseTimeToLiveResponse) -> String {
    if answer.ttl < 0 {
        return format!("there is no lease {:016x}\n", answer.id);
    }
    let keys: Vec<String> = answer.keys.iter().map(|key| readable(key)).collect();
    lease_table(&[
        ("lease", format!("{:016x}", answer.id)),
        ("granted", answer.granted_ttl.to_string()),
        ("remaining", answer.ttl.to_string()),
        ("keys", keys.join(" ")),
    ])
}

pub(crate) fn leases_simple(answer: &LeaseLeasesResponse) -> String {
    let ids: String = answer.leases.iter().map(|lease| format!("{:016x}\n", lease.id)).collect();
    format!("found {} leases\n{ids}", answer.leases.len())
}

pub(crate) fn leases_table(answer: &LeaseLeasesResponse) -> String {
    let mut table = Table::new(&["lease"]);
    for lease in &answer.leases {
        table.row([format!("{:016x}", lease.id)]);
    }
    table.text()
}
