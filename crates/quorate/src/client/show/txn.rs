//! What a transaction did.

use super::{del_simple, del_table, put_simple, put_table, range_table};
use etcd::pb::etcdserverpb::response_op::Response;
use etcd::pb::etcdserverpb::{RangeResponse, TxnResponse};

pub(crate) fn txn_simple(answer: &TxnResponse) -> String {
    told(answer, |response| match response {
        Response::ResponseRange(range) => pairs(range),
        Response::ResponsePut(put) => put_simple(put),
        Response::ResponseDeleteRange(deleted) => del_simple(deleted),
        Response::ResponseTxn(inner) => txn_simple(inner),
    })
}

pub(crate) fn txn_table(answer: &TxnResponse) -> String {
    told(answer, |response| match response {
        Response::ResponseRange(range) => range_table(range),
        Response::ResponsePut(put) => put_table(put),
        Response::ResponseDeleteRange(deleted) => del_table(deleted),
        Response::ResponseTxn(inner) => txn_table(inner),
    })
}

fn told(answer: &TxnResponse, each: impl Fn(&Response) -> String) -> String {
    let mut text = if answer.succeeded { "SUCCESS\n" } else { "FAILURE\n" }.to_owned();
    for response in answer.responses.iter().filter_map(|response| response.response.as_ref()) {
        text.push('\n');
        text += &each(response);
    }
    text
}

fn pairs(range: &RangeResponse) -> String {
    let line = |bytes: &[u8]| format!("{}\n", String::from_utf8_lossy(bytes));
    range.kvs.iter().map(|kv| line(&kv.key) + &line(&kv.value)).collect()
}
