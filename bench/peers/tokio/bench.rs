// SPDX-License-Identifier: MIT
//
// bench.rs - the questions on tokio: `bench QUESTION` prints `QUESTION VALUE UNIT`.
//
// An actor is a task that receives from its own bounded mpsc channel. A send tries without waiting first:
// where there is room that saves building a future. What answers only once is a oneshot channel or the
// task's own handle, which cost less; a mailbox (idle_bytes) is an mpsc, as a oneshot takes one message
// and no more. One thread is the current_thread runtime, two are two workers of multi_thread, and where
// the two of pingpong_two run is the scheduler's choice. All work is in spawned tasks, as the future
// given to block_on is polled only now and then. There is no channel with several consumers:
// bounded_buffer is the one of tokio's own documentation, a queue under a lock and two Notify.
use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::runtime::Builder;
use tokio::sync::mpsc::{channel, error::TrySendError::Full, Sender};
use tokio::sync::{oneshot, Notify};
use tokio::{spawn, time::sleep_until};

fn check(ok: bool) {
    if !ok {
        eprintln!("wrong result");
        std::process::exit(1);
    }
}

async fn put<T>(to: &Sender<T>, v: T) {
    if let Err(Full(v)) = to.try_send(v) {
        let _ = to.send(v).await;
    }
}

/// Runs a tenth of n to warm up, then n, and returns how many per second.
async fn rate<R: Future<Output = ()>>(n: u64, run: impl Fn(u64) -> R) -> f64 {
    run(n / 10).await;
    let start = Instant::now();
    run(n).await;
    n as f64 / start.elapsed().as_secs_f64()
}

/// CPU time so far in ns.
fn cpu() -> f64 {
    extern "C" {
        fn clock_gettime(clock: i32, time: *mut [i64; 2]) -> i32;
    }
    let mut t = [0; 2];
    check(unsafe { clock_gettime(2, &mut t) } == 0); // CLOCK_PROCESS_CPUTIME_ID
    t[0] as f64 * 1e9 + t[1] as f64
}

/// A size of this process in bytes, as /proc/self/status has it in kB.
fn status(key: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let rest = text.split(key).nth(1).unwrap();
    rest.split_whitespace().next().unwrap().parse::<f64>().unwrap() * 1024.0
}

fn random(x: &mut u64, n: u64) -> u64 {
    *x = *x * 16807 % 2147483647;
    *x % n
}

async fn pingpong(n: u64) {
    let ((ping, mut pings), (pong, mut pongs)) = (channel(1), channel(1));
    spawn(async move {
        while let Some(v) = pings.recv().await {
            put(&pong, v + 1).await;
        }
    });
    for i in 0..n {
        put(&ping, i).await;
        check(pongs.recv().await == Some(i + 1));
    }
}

async fn fanin(producers: u64, n: u64) {
    let (to, mut inbox) = channel(1024);
    let each = n / producers;
    for _ in 0..producers {
        let to = to.clone();
        spawn(async move {
            for i in 1..=each {
                put(&to, i).await;
            }
        });
    }
    drop(to);
    let mut sum = 0;
    while let Some(v) = inbox.recv().await {
        sum += v;
    }
    check(sum == producers * each * (each + 1) / 2);
}

async fn oneway(n: u64) {
    let (to, mut inbox) = channel(1024);
    spawn(async move {
        for i in 1..=n {
            put(&to, i).await;
        }
    });
    let mut sum = 0;
    while let Some(v) = inbox.recv().await {
        sum += v;
        while let Ok(v) = inbox.try_recv() {
            sum += v;
        }
    }
    check(sum == n * (n + 1) / 2);
}

async fn ring(size: usize, hops: u64) -> f64 {
    let (done, mut ended) = channel(1);
    let (mut boxes, inboxes): (Vec<_>, Vec<_>) = (0..size).map(|_| channel::<u64>(1)).unzip();
    let first = boxes[0].clone();
    boxes.rotate_left(1);
    for (next, mut inbox) in boxes.into_iter().zip(inboxes) {
        let done = done.clone();
        spawn(async move {
            while let Some(v) = inbox.recv().await {
                if v == 0 {
                    put(&done, ()).await;
                } else {
                    put(&next, v - 1).await;
                }
            }
        });
    }
    let mut took = 0.0;
    for n in [hops / 10, hops] { // the first warms up
        let start = Instant::now();
        put(&first, n).await;
        check(ended.recv().await.is_some());
        took = start.elapsed().as_secs_f64();
    }
    hops as f64 / took
}

async fn spawn_die(n: u64) {
    for i in 0..n {
        let (to, inbox) = oneshot::channel();
        let actor = spawn(async move { inbox.await.unwrap() + 1 });
        to.send(i).unwrap();
        check(actor.await.unwrap() == i + 1);
    }
}

async fn fork_join(n: u64) {
    const BATCH: u64 = 40000; // live at a time, as in Savina
    for _ in 0..n / BATCH {
        let mut all = Vec::with_capacity(BATCH as usize);
        for i in 0..BATCH {
            let (to, inbox) = oneshot::channel();
            all.push(spawn(async move { inbox.await.unwrap() }));
            to.send(i).unwrap();
        }
        let mut sum = 0;
        for actor in all {
            sum += actor.await.unwrap();
        }
        check(sum == BATCH * (BATCH - 1) / 2);
    }
}

fn node(num: u64, size: u64) -> impl Future<Output = u64> + Send {
    async move {
        if size == 1 {
            return num;
        }
        let part = size / 10;
        let all: [_; 10] = std::array::from_fn(|i| spawn(node(num + i as u64 * part, part)));
        let mut sum = 0;
        for child in all {
            sum += child.await.unwrap();
        }
        sum
    }
}

async fn skynet() -> f64 {
    let mut took = 0.0;
    for _ in 0..2 { // the first warms up
        let start = Instant::now();
        check(spawn(node(0, 1000000)).await.unwrap() == 499999500000);
        took = start.elapsed().as_secs_f64();
    }
    took
}

async fn idle() -> f64 {
    const N: u64 = 1000000;
    let (done, mut ended) = channel(1024);
    let mut boxes = Vec::with_capacity(N as usize);
    let before = status("VmRSS:");
    for _ in 0..N {
        let (to, mut inbox) = channel(1);
        let done = done.clone();
        boxes.push(to);
        spawn(async move {
            while let Some(v) = inbox.recv().await {
                put(&done, v).await;
            }
        });
    }
    drop(done);
    tokio::task::yield_now().await;
    let used = status("VmRSS:") - before;
    let mut sum = 0;
    for (i, to) in boxes.into_iter().enumerate() {
        put(&to, i as u64).await;
        sum += ended.recv().await.unwrap();
    }
    check(sum == N * (N - 1) / 2);
    used / N as f64
}

async fn timers() -> f64 {
    const N: u64 = 1000000;
    let before = cpu();
    let start = tokio::time::Instant::now();
    let mut all = Vec::with_capacity(N as usize);
    for i in 0..N {
        all.push(spawn(sleep_until(start + Duration::from_millis(1 + i * 7919 % 1000))));
    }
    for timer in all {
        timer.await.unwrap();
    }
    (cpu() - before) / N as f64
}

async fn big(n: u64) {
    const ACTORS: usize = 120;
    enum Msg {
        Ping(usize, u64), // its number; the pong brings it back
        Pong(u64),
        Stop,
    }
    let pings = n / 2 / ACTORS as u64;
    let (handled, mut counts) = channel(ACTORS);
    let (done, mut ended) = channel(ACTORS);
    let (boxes, inboxes): (Vec<_>, Vec<_>) = (0..ACTORS).map(|_| channel(128)).unzip(); // all that can come
    let boxes: Arc<[Sender<Msg>]> = boxes.into();
    for (me, mut inbox) in inboxes.into_iter().enumerate() {
        let (boxes, handled, done) = (boxes.clone(), handled.clone(), done.clone());
        spawn(async move {
            let (mut x, mut left, mut seen) = (me as u64 + 1, pings, 0);
            let next = |x: &mut u64| {
                let to = random(x, ACTORS as u64 - 1) as usize;
                let _ = boxes[to + (to >= me) as usize].try_send(Msg::Ping(me, *x));
            };
            next(&mut x);
            while let Some(m) = inbox.recv().await {
                match m {
                    Msg::Ping(from, n) => {
                        seen += 1;
                        let _ = boxes[from].try_send(Msg::Pong(n));
                    }
                    Msg::Pong(n) => {
                        check(n == x);
                        left -= 1;
                        if left > 0 {
                            next(&mut x);
                        } else {
                            put(&done, ()).await;
                        }
                    }
                    Msg::Stop => return put(&handled, seen).await,
                }
            }
        });
    }
    for _ in 0..ACTORS {
        ended.recv().await;
    }
    let mut sum = 0;
    for to in boxes.iter() {
        put(to, Msg::Stop).await;
        sum += counts.recv().await.unwrap();
    }
    check(sum == pings * ACTORS as u64);
}

struct Buffer {
    items: Mutex<VecDeque<u64>>,
    room: Notify,
    filled: Notify,
}

impl Buffer {
    fn try_put(&self, v: u64) -> bool {
        let mut items = self.items.lock().unwrap();
        let room = items.len() < 100;
        if room {
            items.push_back(v);
            drop(items);
            self.filled.notify_one();
        }
        room
    }

    fn try_get(&self) -> Option<u64> {
        let v = self.items.lock().unwrap().pop_front();
        if v.is_some() {
            self.room.notify_one();
        }
        v
    }

    // Who waits is enabled, that is counts for notify_one, before it looks once more.
    async fn put(&self, v: u64) {
        while !self.try_put(v) {
            let room = self.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            if self.try_put(v) {
                return;
            }
            room.await;
        }
    }

    async fn get(&self) -> u64 {
        loop {
            if let Some(v) = self.try_get() {
                return v;
            }
            let filled = self.filled.notified();
            tokio::pin!(filled);
            filled.as_mut().enable();
            if let Some(v) = self.try_get() {
                return v;
            }
            filled.await;
        }
    }
}

async fn bounded_buffer(n: u64) {
    let buffer = Arc::new(Buffer {
        items: Mutex::new(VecDeque::with_capacity(100)),
        room: Notify::new(),
        filled: Notify::new(),
    });
    let (each, mut consumers) = (n / 4, vec![]);
    for _ in 0..4 {
        let to = buffer.clone();
        spawn(async move {
            for i in 1..=each {
                to.put(i).await;
            }
        });
        let from = buffer.clone();
        consumers.push(spawn(async move {
            let mut sum = 0;
            for _ in 0..each {
                sum += from.get().await;
            }
            sum
        }));
    }
    let mut sum = 0;
    for consumer in consumers {
        sum += consumer.await.unwrap();
    }
    check(sum == 4 * each * (each + 1) / 2);
}

async fn banking(n: u64) {
    const ACCOUNTS: u64 = 1000;
    const ROUND: u64 = 50000;
    enum Msg {
        Debit(usize, i64),
        Credit(usize, i64),
        Close,
    }
    let (reply, mut replies) = channel(ROUND as usize);
    let (balance, mut balances) = channel(ACCOUNTS as usize);
    let (boxes, inboxes): (Vec<_>, Vec<_>) = (0..ACCOUNTS).map(|_| channel(64)).unzip();
    let (acks, ackboxes): (Vec<_>, Vec<_>) = (0..ACCOUNTS).map(|_| channel(1)).unzip();
    let boxes: Arc<[Sender<Msg>]> = boxes.into();
    let acks: Arc<[Sender<()>]> = acks.into();
    for (me, (mut inbox, mut credited)) in inboxes.into_iter().zip(ackboxes).enumerate() {
        let (boxes, acks, reply, balance) = (boxes.clone(), acks.clone(), reply.clone(), balance.clone());
        spawn(async move {
            let mut sum = 0;
            while let Some(m) = inbox.recv().await {
                match m {
                    Msg::Debit(to, amount) => {
                        sum -= amount;
                        put(&boxes[to], Msg::Credit(me, amount)).await;
                        credited.recv().await;
                        put(&reply, ()).await;
                    }
                    Msg::Credit(from, amount) => {
                        sum += amount;
                        put(&acks[from], ()).await;
                    }
                    Msg::Close => return put(&balance, sum).await,
                }
            }
        });
    }
    let (mut x, mut want) = (1, [0; ACCOUNTS as usize]);
    for _ in 0..n / ROUND {
        for _ in 0..ROUND {
            let from = random(&mut x, ACCOUNTS / 10 * 8);
            let to = from + 1 + random(&mut x, ACCOUNTS - from - 1); // upwards: no circle of waiting accounts
            let amount = 1 + random(&mut x, 1000) as i64;
            want[from as usize] -= amount;
            want[to as usize] += amount;
            put(&boxes[from as usize], Msg::Debit(to as usize, amount)).await;
        }
        for _ in 0..ROUND {
            replies.recv().await;
        }
    }
    for (to, want) in boxes.iter().zip(want) {
        put(to, Msg::Close).await;
        check(balances.recv().await.unwrap() == want);
    }
}

async fn chameneos(n: u64) {
    const CREATURES: usize = 100;
    enum Msg {
        Meet(usize, u8),
        Change(u8),
        Exit,
    }
    let (mall, mut visitors) = channel(CREATURES);
    let (count, mut counts) = channel(CREATURES);
    let (boxes, inboxes): (Vec<_>, Vec<_>) = (0..CREATURES).map(|_| channel(2)).unzip();
    let boxes: Arc<[Sender<Msg>]> = boxes.into();
    for (me, mut inbox) in inboxes.into_iter().enumerate() {
        let (boxes, mall, count) = (boxes.clone(), mall.clone(), count.clone());
        spawn(async move {
            let (mut colour, mut met) = ((me % 3) as u8, 0);
            put(&mall, (me, colour)).await;
            while let Some(m) = inbox.recv().await {
                match m {
                    Msg::Meet(from, other) => {
                        if other != colour {
                            colour = 3 - colour - other;
                        }
                        put(&boxes[from], Msg::Change(colour)).await;
                    }
                    Msg::Change(new) => colour = new,
                    Msg::Exit => return put(&count, met).await,
                }
                met += 1;
                put(&mall, (me, colour)).await;
            }
        });
    }
    for _ in 0..n {
        let (first, _) = visitors.recv().await.unwrap();
        let (second, colour) = visitors.recv().await.unwrap();
        put(&boxes[first], Msg::Meet(second, colour)).await;
    }
    let mut sum = 0;
    for _ in 0..CREATURES {
        let (creature, _) = visitors.recv().await.unwrap();
        put(&boxes[creature], Msg::Exit).await;
        sum += counts.recv().await.unwrap();
    }
    check(sum == 2 * n);
}

async fn throughput(n: u64) {
    const WORKERS: u64 = 60;
    let (boxes, inboxes): (Vec<_>, Vec<_>) = (0..WORKERS).map(|_| channel(1024)).unzip();
    let mut all = vec![];
    for mut inbox in inboxes {
        all.push(spawn(async move {
            let mut sum = 0;
            while let Some(v) = inbox.recv().await {
                sum += v;
            }
            sum
        }));
    }
    let each = n / WORKERS;
    for v in 1..=each {
        for to in &boxes {
            put(to, v).await;
        }
    }
    drop(boxes);
    for worker in all {
        check(worker.await.unwrap() == each * (each + 1) / 2);
    }
}

async fn philosophers(n: u64) {
    const SEATS: usize = 20;
    enum Msg {
        Hungry(usize),
        Done(usize),
    }
    let each = n / SEATS as u64;
    let (waiter, mut inbox) = channel(2 * SEATS); // nobody waits to be heard
    let (plates, meals): (Vec<_>, Vec<_>) = (0..SEATS).map(|_| channel(1)).unzip();
    let mut all = vec![];
    for (me, mut eat) in meals.into_iter().enumerate() {
        let waiter = waiter.clone();
        all.push(spawn(async move {
            for _ in 0..each {
                put(&waiter, Msg::Hungry(me)).await;
                check(eat.recv().await == Some(()));
                put(&waiter, Msg::Done(me)).await;
            }
        }));
    }
    drop(waiter);
    let (mut fork, mut waiting, mut eaten) = ([false; SEATS], [false; SEATS], 0);
    while let Some(m) = inbox.recv().await {
        let (first, rest) = match m {
            Msg::Hungry(i) => (i, None),
            Msg::Done(i) => {
                let (before, after) = ((i + SEATS - 1) % SEATS, (i + 1) % SEATS);
                check(fork[before] && fork[i]);
                fork[before] = false;
                fork[i] = false;
                eaten += 1;
                (before, Some(after))
            }
        };
        for i in std::iter::once(first).chain(rest) {
            if rest.is_some() && !waiting[i] {
                continue;
            }
            let left = (i + SEATS - 1) % SEATS;
            waiting[i] = fork[left] || fork[i];
            if !waiting[i] {
                fork[left] = true;
                fork[i] = true;
                let _ = plates[i].try_send(());
            }
        }
    }
    for philosopher in all {
        philosopher.await.unwrap();
    }
    check(eaten == each * SEATS as u64);
}

fn run<R: Future<Output = f64> + Send + 'static>(threads: usize, work: R) -> f64 {
    let mut builder = if threads == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    let runtime = builder.worker_threads(threads).enable_time().build().unwrap();
    runtime.block_on(async { spawn(work).await.unwrap() })
}

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    let (value, unit) = match &name[..] {
        "pingpong_one" => (run(1, rate(6000000, pingpong)), "rt/s"),
        "pingpong_two" => (run(2, rate(6000000, pingpong)), "rt/s"),
        "oneway_one" => (run(1, rate(50000000, oneway)), "msg/s"),
        "oneway_two" => (run(2, rate(50000000, oneway)), "msg/s"),
        "fanin_8" => (run(2, rate(30000000, |n| fanin(8, n))), "msg/s"),
        "fanin_8_rss" => {
            run(2, rate(8000000, |n| fanin(8, n)));
            (status("VmHWM:") / 1e6, "MB")
        }
        "ring_503" => (run(1, ring(503, 10000000)), "hops/s"),
        "ring_100k" => (run(1, ring(100000, 5000000)), "hops/s"),
        "spawn_die" => (run(1, rate(6000000, spawn_die)), "actors/s"),
        "skynet" => (run(2, skynet()), "s"),
        "idle_bytes" => (run(1, idle()), "B"),
        "timers_1m" => (run(1, timers()), "ns"),
        "big" => (run(2, rate(10000000, big)), "msg/s"),
        "bounded_buffer" => (run(2, rate(15000000, bounded_buffer)), "items/s"),
        "banking" => (run(2, rate(3000000, banking)), "transactions/s"),
        "chameneos" => (run(2, rate(1000000, chameneos)), "meetings/s"),
        "fork_join_create" => (run(1, rate(4000000, fork_join)), "actors/s"),
        "fork_join_throughput" => (run(2, rate(15000000, throughput)), "msg/s"),
        "philosophers" => (run(2, rate(1000000, philosophers)), "meals/s"),
        _ => {
            eprintln!("no such question");
            std::process::exit(2);
        }
    };
    println!("{} {:.3} {}", name, value, unit);
}
