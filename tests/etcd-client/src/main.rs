//! Drives a cluster with Rust's etcd-client crate and prints what it answers, so that two clusters can be compared.
//!
//! Usage: etcd-client-check ENDPOINT…   (the first one leads)

mod everyday;

use etcd_client::{
    Client, Compare, CompareOp, DeleteOptions, Error, GetOptions, KeyValue, PutOptions, SortOrder, SortTarget, Txn, TxnOp,
    TxnOpResponse,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let endpoints: Vec<String> = std::env::args().skip(1).collect();
    let mut client = Client::connect(&endpoints[..1], None).await?;

    for i in 0..5 {
        let put = client.put(format!("k{i}"), format!("v{i}"), None).await?;
        println!("put k{i}: revision {}", put.header().map_or(0, |header| header.revision()));
    }
    let put = client.put("k1", "again", Some(PutOptions::new().with_prev_key())).await?;
    println!("put k1: previous {}", put.prev_key().map_or_else(|| "none".into(), show));
    println!("put to an unknown lease: {}", failure(client.put("k1", "x", Some(PutOptions::new().with_lease(77))).await));
    println!("put without a key: {}", failure(client.put("", "x", None).await));

    let options = GetOptions::new().with_prefix().with_sort(SortTarget::Mod, SortOrder::Descend).with_limit(3);
    let got = client.get("k", Some(options)).await?;
    println!("get k*: count {}, more {}", got.count(), got.more());
    got.kvs().iter().for_each(|kv| println!("  {}", show(kv)));
    let got = client.get("k1", Some(GetOptions::new().with_revision(3))).await?;
    got.kvs().iter().for_each(|kv| println!("get k1 at 3: {}", show(kv)));
    println!("get from the future: {}", failure(client.get("k1", Some(GetOptions::new().with_revision(999))).await));

    let txn = Txn::new()
        .when([Compare::value("k1", CompareOp::Equal, "again"), Compare::version("none", CompareOp::Equal, 0)])
        .and_then([
            TxnOp::put("k1", "swapped", None),
            TxnOp::get("k1", None),
            TxnOp::txn(Txn::new().when([Compare::version("k1", CompareOp::Greater, 1)]).and_then([TxnOp::delete("k2", None)])),
        ])
        .or_else([TxnOp::get("k0", None)]);
    for _ in 0..2 {
        let done = client.txn(txn.clone()).await?;
        println!("txn: succeeded {}", done.succeeded());
        done.op_responses().iter().for_each(|response| show_op(response, 1));
    }
    let duplicate = Txn::new().and_then([TxnOp::put("d", "1", None), TxnOp::put("d", "2", None)]);
    println!("txn with a key twice: {}", failure(client.txn(duplicate).await));

    let deleted = client.delete("k", Some(DeleteOptions::new().with_prefix().with_prev_key())).await?;
    println!("delete k*: {}", deleted.deleted());
    deleted.prev_kvs().iter().for_each(|kv| println!("  {}", show(kv)));

    let mut names: Vec<String> = client.member_list().await?.members().iter().map(|member| member.name().to_owned()).collect();
    names.sort();
    println!("members: {}", names.join(" "));
    let status = client.status().await?;
    println!("leads: {}", status.header().is_some_and(|header| header.member_id() == status.leader()));

    let mut last = Client::connect(&endpoints[endpoints.len() - 1..], None).await?;
    everyday::watches(&mut client, &mut last).await?;
    everyday::leases(&mut last).await?;
    everyday::locks(&mut client, &mut last).await?;

    // All endpoints, balanced.
    let mut all = Client::connect(&endpoints, None).await?;
    for i in 0..6 {
        all.put("balanced", i.to_string(), None).await?;
        let got = all.get("balanced", None).await?;
        got.kvs().iter().for_each(|kv| println!("balanced: {}", show(kv)));
    }
    Ok(())
}

fn show(kv: &KeyValue) -> String {
    format!(
        "{} = {} (created {}, modified {}, version {}, lease {})",
        kv.key_str().unwrap_or("?"),
        kv.value_str().unwrap_or("?"),
        kv.create_revision(),
        kv.mod_revision(),
        kv.version(),
        kv.lease()
    )
}

fn show_op(response: &TxnOpResponse, depth: usize) {
    let indent = "  ".repeat(depth);
    match response {
        TxnOpResponse::Put(_) => println!("{indent}put"),
        TxnOpResponse::Get(got) => got.kvs().iter().for_each(|kv| println!("{indent}get {}", show(kv))),
        TxnOpResponse::Delete(deleted) => println!("{indent}delete {}", deleted.deleted()),
        TxnOpResponse::Txn(done) => {
            println!("{indent}txn: succeeded {}", done.succeeded());
            done.op_responses().iter().for_each(|inner| show_op(inner, depth + 1));
        }
    }
}

fn failure<T>(outcome: Result<T, Error>) -> String {
    match outcome {
        Ok(_) => "no error".into(),
        Err(Error::GRpcStatus(status)) => format!("{:?}: {}", status.code(), status.message()),
        Err(other) => other.to_string(),
    }
}
