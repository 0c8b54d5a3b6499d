//! Requests: a header, then the record of the operation.

use crate::jute::{Reader, Writer};
use crate::operation::{number_of, number_of_query, read_query, try_write, write_query, write_write};
use crate::{Malformed, opcode};
use bytes::{Bytes, BytesMut};
use znodes::{AddMode, ErrorCode, Op, ReadOp, Renewal, WatcherType};

/// A request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call {
    /// The client's number for it, which the reply repeats.
    pub xid: i32,
    /// The number of the operation, which decides how it is answered.
    pub op: i32,
    /// What is asked for.
    pub request: ClientRequest,
}

/// What a client asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientRequest {
    /// A write, closeSession among them. One that is [`Op::Refused`] is answered through the log.
    Write(Op),
    /// A read.
    Read {
        /// What it wants to know.
        op: ReadOp,
        /// Whether it wants to hear of a change.
        watch: bool,
    },
    /// I live.
    Ping,
    /// I am somebody.
    Auth {
        /// In which scheme.
        scheme: String,
        /// What proves it.
        auth: Bytes,
    },
    /// A step of SASL.
    Sasl {
        /// The client's token.
        token: Bytes,
    },
    /// setWatches, setWatches2: what was watched before the connection was lost.
    SetWatches(Renewal),
    /// addWatch.
    AddWatch {
        /// Where.
        path: String,
        /// How.
        mode: AddMode,
    },
    /// removeWatches.
    RemoveWatches {
        /// Where.
        path: String,
        /// Which.
        which: WatcherType,
    },
    /// checkWatches: is there one?
    CheckWatches {
        /// Where.
        path: String,
        /// Which.
        which: WatcherType,
    },
    /// reconfig.
    Reconfig(Reconfig),
    /// A request whose record makes no sense, or an operation that does not exist: it is answered with this, in its turn, by whoever was asked.
    Refused(ErrorCode),
}

/// Another configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reconfig {
    /// Servers to be added, separated by commas.
    pub joining: Option<String>,
    /// Ids of servers to be removed, separated by commas.
    pub leaving: Option<String>,
    /// All servers, instead of the two above.
    pub members: Option<String>,
    /// Only if this is the configuration's version; −1: any.
    pub from_version: i64,
}

impl Call {
    /// A write.
    pub fn write(xid: i32, op: Op) -> Call {
        Call { xid, op: number_of(&op), request: ClientRequest::Write(op) }
    }

    /// A read. Children are asked for with their node's Stat (getChildren2).
    pub fn read(xid: i32, op: ReadOp, watch: bool) -> Call {
        Call { xid, op: number_of_query(&op, true), request: ClientRequest::Read { op, watch } }
    }

    /// What a frame says. After an error the connection is to be closed; requests that can be answered are [`ClientRequest::Refused`] or
    /// [`Op::Refused`] instead. `limit` is [`crate::jute::length_limit`].
    pub fn decode(frame: &Bytes, limit: usize) -> Result<Call, Malformed> {
        let mut reader = Reader::new(frame, limit);
        let (xid, op) = (reader.int()?, reader.int()?);
        let request = match op {
            opcode::PING => ClientRequest::Ping,
            opcode::AUTH => auth(&mut reader)?,
            opcode::SASL => ClientRequest::Sasl { token: reader.buffer()?.unwrap_or_default() },
            _ => answerable(op, reader, limit),
        };
        Ok(Call { xid, op, request })
    }

    /// Appends it as a frame.
    pub fn encode(&self, out: &mut BytesMut) {
        Writer::append(out, |writer| {
            writer.framed(|writer| {
                writer.int(self.xid);
                writer.int(self.op);
                self.write_record(writer);
            });
        });
    }

    fn write_record(&self, writer: &mut Writer) {
        match &self.request {
            ClientRequest::Write(op) => write_write(op, writer),
            ClientRequest::Read { op, watch } => write_query(op, *watch, writer),
            ClientRequest::Ping | ClientRequest::Refused(_) => {}
            ClientRequest::Auth { scheme, auth } => {
                writer.int(0);
                writer.string(scheme);
                writer.buffer(Some(auth));
            }
            ClientRequest::Sasl { token } => writer.buffer(Some(token)),
            ClientRequest::SetWatches(watched) => write_watched(watched, self.op == opcode::SET_WATCHES2, writer),
            ClientRequest::AddWatch { path, mode } => {
                writer.string(path);
                writer.int(number_of_mode(*mode));
            }
            ClientRequest::RemoveWatches { path, which } | ClientRequest::CheckWatches { path, which } => {
                writer.string(path);
                writer.int(number_of_type(*which));
            }
            ClientRequest::Reconfig(Reconfig { joining, leaving, members, from_version }) => {
                for servers in [joining, leaving, members] {
                    writer.buffer(servers.as_ref().map(|servers| servers.as_bytes()));
                }
                writer.long(*from_version);
            }
        }
    }
}

fn auth(reader: &mut Reader<'_>) -> Result<ClientRequest, Malformed> {
    reader.int()?;
    Ok(ClientRequest::Auth { scheme: reader.string()?.unwrap_or_default(), auth: reader.buffer()?.unwrap_or_default() })
}

/// A request that is answered, whatever its record says.
fn answerable(op: i32, mut reader: Reader<'_>, limit: usize) -> ClientRequest {
    let read = match op {
        opcode::SET_WATCHES | opcode::SET_WATCHES2 => watched(op, &mut reader).map(ClientRequest::SetWatches),
        opcode::ADD_WATCH => add_watch(&mut reader),
        opcode::REMOVE_WATCHES => of_kind(&mut reader).map(|(path, which)| ClientRequest::RemoveWatches { path, which }),
        opcode::CHECK_WATCHES => of_kind(&mut reader).map(|(path, which)| ClientRequest::CheckWatches { path, which }),
        opcode::RECONFIG => reconfig(&mut reader),
        // A session begins with ConnectRequest, and only the leader deletes containers: Java looks at neither's permission.
        opcode::CREATE_SESSION | opcode::DELETE_CONTAINER => Ok(ClientRequest::Refused(ErrorCode::Unimplemented)),
        _ => match read_query(op, &mut reader) {
            Some(query) => query.map(|(op, watch)| ClientRequest::Read { op, watch }),
            None => match try_write(op, &reader.rest(), limit) {
                // A multi has its zxid before it is read (Java: PrepRequestProcessor).
                Some(Err(_)) if op == opcode::MULTI => {
                    Ok(ClientRequest::Write(Op::Refused { op, error: ErrorCode::MarshallingError }))
                }
                Some(op) => op.map(ClientRequest::Write),
                // Java: UnimplementedRequestProcessor.
                None => Ok(ClientRequest::Refused(ErrorCode::Unimplemented)),
            },
        },
    };
    // Java: FinalRequestProcessor, which answers so whatever goes wrong.
    read.unwrap_or(ClientRequest::Refused(ErrorCode::MarshallingError))
}

fn watched(op: i32, reader: &mut Reader<'_>) -> Result<Renewal, Malformed> {
    const WHAT: &str = "a path that is watched";
    let mut watched = Renewal {
        relative_zxid: reader.long()?,
        data: reader.texts(WHAT)?,
        exist: reader.texts(WHAT)?,
        child: reader.texts(WHAT)?,
        ..Renewal::default()
    };
    if op == opcode::SET_WATCHES2 {
        watched.persistent = reader.texts(WHAT)?;
        watched.persistent_recursive = reader.texts(WHAT)?;
    }
    Ok(watched)
}

fn write_watched(watched: &Renewal, with_persistent: bool, writer: &mut Writer) {
    writer.long(watched.relative_zxid);
    writer.strings(&watched.data);
    writer.strings(&watched.exist);
    writer.strings(&watched.child);
    if with_persistent {
        writer.strings(&watched.persistent);
        writer.strings(&watched.persistent_recursive);
    }
}

fn add_watch(reader: &mut Reader<'_>) -> Result<ClientRequest, Malformed> {
    let path = reader.text("a path")?;
    match AddMode::from_number(reader.int()?) {
        Some(mode) => Ok(ClientRequest::AddWatch { path, mode }),
        None => reader.refuse("a mode of watching, 0 or 1, before this"),
    }
}

fn number_of_mode(mode: AddMode) -> i32 {
    match mode {
        AddMode::Persistent => 0,
        AddMode::PersistentRecursive => 1,
    }
}

fn number_of_type(which: WatcherType) -> i32 {
    match which {
        WatcherType::Children => 1,
        WatcherType::Data => 2,
        WatcherType::Any => 3,
        WatcherType::Persistent => 4,
        WatcherType::PersistentRecursive => 5,
    }
}

fn of_kind(reader: &mut Reader<'_>) -> Result<(String, WatcherType), Malformed> {
    let path = reader.text("a path")?;
    match WatcherType::from_number(reader.int()?) {
        Some(which) => Ok((path, which)),
        None => reader.refuse("a kind of watch, 1 to 5, before this"),
    }
}

fn reconfig(reader: &mut Reader<'_>) -> Result<ClientRequest, Malformed> {
    let (joining, leaving, members) = (reader.string()?, reader.string()?, reader.string()?);
    Ok(ClientRequest::Reconfig(Reconfig { joining, leaving, members, from_version: reader.long()? }))
}
