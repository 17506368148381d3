// SPDX-License-Identifier: MIT
//
// link.rs - two processes in Rust over one tokio stream.
//
//     link serve QUESTION WHERE    WHERE: host:port (0: any) or the path of a unix socket; prints it
//     link ask   QUESTION WHERE    prints the figure
//
// Messages are 64 bytes behind a 4-byte length. The fast way in tokio: the runtime of one thread, since
// there is one stream and a second thread would only have to be woken for it; frames used in place in a
// buffer of 64 KiB; a BufWriter of the same size, flushed by whoever is about to wait, so that what one read
// brought is answered by one write. Calls are made by 64 tasks, each of which waits for its answer: an mpsc
// channel takes them to the task that writes, which flushes when the channel is empty; the task that reads
// hands each answer to the oneshot of its caller. Answers come in the order of the requests.
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{Error, ErrorKind, Result};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufWriter};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{spawn_local, LocalSet};

const PAYLOAD: usize = 64;
const WINDOW: usize = 64;
const ROOM: usize = 64 * 1024;
const RUN: Duration = Duration::from_secs(1);

fn wrong<T>(what: String) -> Result<T> {
    Err(Error::new(ErrorKind::InvalidData, what))
}

// ---- frames ----

struct Reader<R> {
    from: R,
    buffer: Box<[u8]>,
    at: usize,  // bytes taken
    end: usize, // bytes read
}

impl<R: AsyncRead + Unpin> Reader<R> {
    fn new(from: R) -> Self {
        Reader { from, buffer: vec![0; ROOM].into(), at: 0, end: 0 }
    }

    /// The next message, if it has been read whole.
    fn ready(&mut self) -> Result<Option<&[u8]>> {
        let rest = &self.buffer[self.at..self.end];
        if rest.len() < 4 {
            return Ok(None);
        }
        let len = u32::from_le_bytes(rest[..4].try_into().unwrap()) as usize;
        if len != PAYLOAD {
            return wrong(format!("length {len}"));
        }
        if rest.len() < 4 + len {
            return Ok(None);
        }
        self.at += 4 + len;
        Ok(Some(&rest[4..4 + len]))
    }

    fn ready_number(&mut self) -> Result<Option<u64>> {
        let message = self.ready()?;
        Ok(message.map(|m| u64::from_le_bytes(m[..8].try_into().unwrap())))
    }

    /// Waits for more bytes.
    async fn fill(&mut self) -> Result<()> {
        self.buffer.copy_within(self.at..self.end, 0);
        self.end -= self.at;
        self.at = 0;
        match self.from.read(&mut self.buffer[self.end..]).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            n => Ok(self.end += n),
        }
    }

    async fn number(&mut self) -> Result<u64> {
        loop {
            if let Some(number) = self.ready_number()? {
                return Ok(number);
            }
            self.fill().await?;
        }
    }

    async fn expect(&mut self, number: u64) -> Result<()> {
        match self.number().await? {
            got if got == number => Ok(()),
            got => wrong(format!("message {number} out of order: {got}")),
        }
    }
}

struct Writer<W> {
    to: BufWriter<W>,
    frame: [u8; 4 + PAYLOAD],
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    fn new(to: W) -> Self {
        let mut frame = [0; 4 + PAYLOAD];
        frame[..4].copy_from_slice(&(PAYLOAD as u32).to_le_bytes());
        Writer { to: BufWriter::with_capacity(ROOM, to), frame }
    }

    async fn send(&mut self, message: &[u8]) -> Result<()> {
        self.frame[4..].copy_from_slice(message);
        self.to.write_all(&self.frame).await
    }

    async fn send_number(&mut self, number: u64) -> Result<()> {
        self.frame[4..12].copy_from_slice(&number.to_le_bytes());
        self.to.write_all(&self.frame).await
    }
}

// ---- the server ----

async fn echo<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(mut r: Reader<R>, mut w: Writer<W>) -> Result<()> {
    loop {
        while let Some(message) = r.ready()? {
            w.send(message).await?;
        }
        w.to.flush().await?;
        r.fill().await?;
    }
}

async fn send_oneway<W: AsyncWrite + Unpin>(mut w: Writer<W>) -> Result<()> {
    for seq in 0.. {
        w.send_number(seq).await?;
    }
    Ok(())
}

// ---- the asker ----

async fn ask_rtt<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    mut r: Reader<R>,
    mut w: Writer<W>,
) -> Result<String> {
    let mut laps = Vec::with_capacity(1 << 20);
    let start = Instant::now();
    let mut last = start;
    while last - start < RUN && laps.len() < laps.capacity() {
        let number = laps.len() as u64;
        w.send_number(number).await?;
        w.to.flush().await?;
        r.expect(number).await?;
        let now = Instant::now();
        laps.push(now - last);
        last = now;
    }
    laps.sort_unstable();
    Ok(format!("{:.2}", laps[laps.len() / 2].as_secs_f64() * 1e6))
}

async fn ask_oneway<R: AsyncRead + Unpin>(mut r: Reader<R>) -> Result<String> {
    r.expect(0).await?;
    let start = Instant::now();
    for seq in 1u64.. {
        r.expect(seq).await?;
        if seq % 64 == 0 && start.elapsed() > RUN {
            return Ok(format!("{:.0}", seq as f64 / start.elapsed().as_secs_f64()));
        }
    }
    unreachable!()
}

type Call = (u64, oneshot::Sender<u64>);
type Waiting = Rc<RefCell<VecDeque<oneshot::Sender<u64>>>>;

async fn write_calls<W: AsyncWrite + Unpin>(
    mut w: Writer<W>,
    mut calls: mpsc::Receiver<Call>,
    waiting: Waiting,
) -> Result<()> {
    while let Some(first) = calls.recv().await {
        let mut next = Some(first);
        while let Some((number, answer)) = next {
            waiting.borrow_mut().push_back(answer);
            w.send_number(number).await?;
            next = calls.try_recv().ok();
        }
        w.to.flush().await?;
    }
    Ok(())
}

async fn read_answers<R: AsyncRead + Unpin>(mut r: Reader<R>, waiting: Waiting) -> Result<()> {
    loop {
        while let Some(number) = r.ready_number()? {
            let answer = waiting.borrow_mut().pop_front();
            answer.and_then(|a| a.send(number).ok()).ok_or(ErrorKind::InvalidData)?;
        }
        r.fill().await?;
    }
}

async fn call_on(calls: mpsc::Sender<Call>, mut number: u64, answered: Rc<Cell<u64>>) -> Result<()> {
    loop {
        let (answer, answered_by) = oneshot::channel();
        calls.send((number, answer)).await.map_err(|_| ErrorKind::BrokenPipe)?;
        match answered_by.await {
            Ok(got) if got == number => answered.set(answered.get() + 1),
            other => return wrong(format!("answer {other:?} to {number}")),
        }
        number += WINDOW as u64;
    }
}

/// Dies of the first error, whichever task had it.
fn spawn(task: impl std::future::Future<Output = Result<()>> + 'static) {
    spawn_local(async {
        if let Err(e) = task.await {
            eprintln!("{e}");
            std::process::exit(1);
        }
    });
}

async fn ask_calls<R, W>(r: Reader<R>, w: Writer<W>) -> Result<String>
where
    R: AsyncRead + Unpin + 'static,
    W: AsyncWrite + Unpin + 'static,
{
    let (calls, called) = mpsc::channel(WINDOW);
    let waiting = Waiting::default();
    let answered = Rc::new(Cell::new(0));
    spawn(write_calls(w, called, waiting.clone()));
    spawn(read_answers(r, waiting));
    for number in 0..WINDOW as u64 {
        spawn(call_on(calls.clone(), number, answered.clone()));
    }
    let start = Instant::now();
    tokio::time::sleep(RUN).await;
    Ok(format!("{:.0}", answered.get() as f64 / start.elapsed().as_secs_f64()))
}

// ---- both ----

async fn talk<R, W>(serving: bool, question: &str, r: R, w: W) -> Result<String>
where
    R: AsyncRead + Unpin + 'static,
    W: AsyncWrite + Unpin + 'static,
{
    let (r, w) = (Reader::new(r), Writer::new(w));
    match (serving, question) {
        (true, q) if q.contains("oneway") => send_oneway(w).await.map(|()| String::new()),
        (true, _) => echo(r, w).await.map(|()| String::new()),
        (false, q) if q.contains("rtt") => ask_rtt(r, w).await,
        (false, q) if q.contains("oneway") => ask_oneway(r).await,
        (false, _) => ask_calls(r, w).await,
    }
}

async fn run(serving: bool, question: &str, place: &str) -> Result<String> {
    if place.starts_with('/') {
        let stream = if serving {
            let listener = UnixListener::bind(place)?;
            println!("{place}");
            listener.accept().await?.0
        } else {
            UnixStream::connect(place).await?
        };
        let (r, w) = stream.into_split();
        return talk(serving, question, r, w).await;
    }
    let stream = if serving {
        let listener = TcpListener::bind(place).await?;
        println!("{}", listener.local_addr()?);
        listener.accept().await?.0
    } else {
        TcpStream::connect(place).await?
    };
    stream.set_nodelay(true)?;
    let (r, w) = stream.into_split();
    talk(serving, question, r, w).await
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    if args.len() != 4 {
        return wrong("usage: link serve|ask QUESTION WHERE".into());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let figure = LocalSet::new().block_on(&runtime, run(args[1] == "serve", &args[2], &args[3]))?;
    println!("{figure}");
    std::process::exit(0) // not waiting for the callers
}
