//! `quorate txn`: a transaction as etcdctl's users type it.
//!
//! ```text
//!   mod("k") = "5"           what has to hold; all of it
//!                            an empty line
//!   put k v --lease 1234     what is then done, in one revision
//!   del --prefix old/
//!                            an empty line
//!   get k                    what is done otherwise
//! ```

use super::actions::{Printed, delete_request, form, put_request, range_request, urls};
use super::reach::{ANSWER_BYTES_MAX, Kind, Trouble, ask};
use super::show;
use crate::cli::{self, Cli, Command, OutputForm};
use clap::Parser;
use etcd::pb::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use etcd::pb::etcdserverpb::kv_client::KvClient;
use etcd::pb::etcdserverpb::request_op::Request;
use etcd::pb::etcdserverpb::{Compare, RequestOp, TxnRequest};
use std::io::Read;

pub(super) async fn txn(options: &cli::Txn) -> Result<Printed, Trouble> {
    let mut typed = String::new();
    let read = std::io::stdin().read_to_string(&mut typed);
    read.map_err(|error| Trouble::Usage(format!("cannot read the transaction from standard input: {error}")))?;
    let request = parse(&typed).map_err(Trouble::Usage)?;
    let answer = ask(urls(&options.client)?, Kind::Write, options.client.timeout, async |channel| {
        KvClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX).txn(request.clone()).await
    });
    let answer = answer.await?.into_inner();
    Ok(Printed::new(match form(&options.client, OutputForm::Simple) {
        OutputForm::Simple => show::txn_simple(&answer),
        OutputForm::Table => show::txn_table(&answer),
        OutputForm::Json => show::txn_json(&answer),
    }))
}

/// Three parts with an empty line between them; those that are missing at the end are empty.
fn parse(typed: &str) -> Result<TxnRequest, String> {
    let mut parts = typed.lines().map(str::trim).collect::<Vec<_>>();
    while parts.last().is_some_and(|line| line.is_empty()) {
        parts.pop();
    }
    let mut parts = parts.split(|line| line.is_empty());
    let mut part = || parts.next().unwrap_or_default().iter();
    let compare = part().map(|line| comparison(line)).collect::<Result<_, _>>()?;
    let success = part().map(|line| operation(line)).collect::<Result<_, _>>()?;
    let failure = part().map(|line| operation(line)).collect::<Result<_, _>>()?;
    match part().next() {
        Some(line) => Err(format!("{line:?} is behind the third part; a transaction has three: comparisons, then, else")),
        None => Ok(TxnRequest { compare, success, failure }),
    }
}

/// A line such as `mod("k") > "5"`.
fn comparison(line: &str) -> Result<Compare, String> {
    let wrong =
        || format!("{line:?} is no comparison; expected, for instance, mod(\"key\") > \"5\" or value(\"key\") = \"text\"");
    let (target, rest) = line.split_once('(').ok_or_else(wrong)?;
    let (key, rest) = quoted(rest).ok_or_else(wrong)?;
    let rest = rest.strip_prefix(')').ok_or_else(wrong)?.trim_start();
    let (operator, rest) = rest.split_once(char::is_whitespace).ok_or_else(wrong)?;
    let (value, rest) = quoted(rest.trim_start()).ok_or_else(wrong)?;
    let result = match operator {
        "=" => CompareResult::Equal,
        "!=" => CompareResult::NotEqual,
        ">" => CompareResult::Greater,
        "<" => CompareResult::Less,
        _ => return Err(wrong()),
    };
    let number = || value.parse::<i64>().map_err(|_| format!("{line:?}: {value:?} should be a whole number"));
    let (target, union) = match target {
        "ver" | "version" => (CompareTarget::Version, TargetUnion::Version(number()?)),
        "c" | "create" => (CompareTarget::Create, TargetUnion::CreateRevision(number()?)),
        "m" | "mod" => (CompareTarget::Mod, TargetUnion::ModRevision(number()?)),
        "val" | "value" => (CompareTarget::Value, TargetUnion::Value(value.clone().into())),
        "lease" => (CompareTarget::Lease, TargetUnion::Lease(cli::lease_id(&value)?)),
        _ => return Err(wrong()),
    };
    if !rest.trim().is_empty() {
        return Err(wrong());
    }
    Ok(Compare { result: result.into(), target: target.into(), key: key.into(), target_union: Some(union), ..Default::default() })
}

/// A line such as `put k v`: the same words as on the command line.
fn operation(line: &str) -> Result<RequestOp, String> {
    let words = words(line).ok_or_else(|| format!("{line:?} has a quotation mark without its other"))?;
    let parsed = Cli::try_parse_from(std::iter::once("quorate".to_owned()).chain(words));
    let request = match parsed.map(|cli| cli.command) {
        Ok(Command::Put(cli::Put { value: None, ignore_value: false, .. })) => return Err(format!("{line:?} lacks the value")),
        Ok(Command::Put(options)) => {
            let value = options.value.clone().unwrap_or_default().into_bytes();
            Request::RequestPut(put_request(options, value))
        }
        Ok(Command::Get(options)) => Request::RequestRange(range_request(&options)),
        Ok(Command::Del(options)) => Request::RequestDeleteRange(delete_request(&options)),
        Ok(_) => return Err(format!("{line:?} has no place in a transaction; expected put, get or del")),
        Err(error) => {
            let told = error.to_string();
            let first = told.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
            return Err(format!("{line:?} is no operation ({first}); expected put, get or del with their arguments"));
        }
    };
    Ok(RequestOp { request: Some(request) })
}

/// Splits at blanks; "…" and '…' hold blanks together, and within "…" a backslash takes what follows as it is.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            let (text, behind) = quoted(rest)?;
            word.get_or_insert_default().push_str(&text);
            rest = behind;
            continue;
        }
        rest = &rest[first.len_utf8()..];
        match first {
            '\'' => {
                let (text, behind) = rest.split_once('\'')?;
                word.get_or_insert_default().push_str(text);
                rest = behind;
            }
            _ if first.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(first),
        }
    }
    words.extend(word);
    Some(words)
}

/// Text between quotation marks at the beginning, and what is behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut inner = String::new();
    let mut chars = text.strip_prefix('"')?.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((inner, &text[at + 2..])),
            '\\' => inner.push(match chars.next()?.1 {
                'n' => '\n',
                't' => '\t',
                other => other,
            }),
            _ => inner.push(char),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_read_as_it_is_typed() {
        let typed = "mod(\"k 1\") > \"5\"\nvalue(\"k\") = \"a\\\"b\"\n\nput 'k 1' \"a b\" --lease 1f\ndel --prefix old/\n\nget k -w json\n\n";
        let request = parse(typed).expect("it is well formed");
        assert_eq!(
            (request.compare[0].key.as_ref(), &request.compare[0].target_union),
            (&b"k 1"[..], &Some(TargetUnion::ModRevision(5)))
        );
        assert_eq!(request.compare[1].target_union, Some(TargetUnion::Value("a\"b".into())));
        let Some(Request::RequestPut(put)) = &request.success[0].request else { panic!("a put comes first") };
        assert_eq!((put.key.as_ref(), put.value.as_ref(), put.lease), (&b"k 1"[..], &b"a b"[..], 31));
        let Some(Request::RequestDeleteRange(del)) = &request.success[1].request else { panic!("then a delete") };
        assert_eq!((del.key.as_ref(), del.range_end.as_ref()), (&b"old/"[..], &b"old0"[..]));
        assert!(matches!(&request.failure[..], [RequestOp { request: Some(Request::RequestRange(_)) }]));
        assert_eq!(parse("\nput k v").expect("no comparison is needed").success.len(), 1);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (typed, told) in [
            ("mod(k) = \"5\"", "is no comparison"),
            ("mod(\"k\") = \"x\"", "\"x\" should be a whole number"),
            ("\nput k", "lacks the value"),
            ("\nput \"k v", "has a quotation mark without its other"),
            ("\nstatus", "has no place in a transaction"),
            ("\npot k v", "is no operation (unrecognized subcommand 'pot')"),
            ("\n\n\nput k v", "is behind the third part"),
        ] {
            let why = parse(typed).expect_err(typed);
            assert!(why.contains(told), "{typed}: {why}");
        }
    }
}
