// SPDX-License-Identifier: MIT
//
// bench.go - the questions in Go: `bench QUESTION` prints `QUESTION VALUE UNIT`.
//
// An actor is a goroutine that ranges over its own channel. Channels carry plain values (no boxing, no
// reflection, no select), and are buffered wherever that saves a switch: the fastest form Go has short
// of giving up channels. GOMAXPROCS is the number of cores of the question; where the two of
// pingpong_two run is the scheduler's choice (LockOSThread would force two threads, at many times the
// cost). The garbage collector keeps its defaults.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type none = struct{}

func check(ok bool) {
	if !ok {
		fmt.Fprintln(os.Stderr, "wrong result")
		os.Exit(1)
	}
}

// rate runs a tenth of n to warm up, then n, and returns how many per second.
func rate(n int, run func(n int)) float64 {
	run(n / 10)
	start := time.Now()
	run(n)
	return float64(n) / time.Since(start).Seconds()
}

func usage() (cpu time.Duration, peak int64) {
	var u syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &u) == nil)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), u.Maxrss * 1024
}

func rss() (bytes int) {
	text, _ := os.ReadFile("/proc/self/statm")
	var size, pages int
	fmt.Sscan(string(text), &size, &pages)
	return pages * os.Getpagesize()
}

func pingpong(n int) {
	ping, pong := make(chan uint64, 1), make(chan uint64, 1)
	go func() {
		for v := range ping {
			pong <- v + 1
		}
	}()
	for i := uint64(0); i < uint64(n); i++ {
		ping <- i
		check(<-pong == i+1)
	}
	close(ping)
}

func fanin(producers, n int) {
	box := make(chan uint64, 1024)
	for p := 0; p < producers; p++ {
		go func() {
			for i := 1; i <= n/producers; i++ {
				box <- uint64(i)
			}
		}()
	}
	each, sum := uint64(n/producers), uint64(0)
	for i := 0; i < n; i++ {
		sum += <-box
	}
	check(sum == uint64(producers)*each*(each+1)/2)
}

func ring(size, hops int) float64 {
	done := make(chan none)
	boxes := make([]chan uint64, size)
	for i := range boxes {
		boxes[i] = make(chan uint64, 1)
	}
	for i := range boxes {
		go func(in <-chan uint64, out chan<- uint64) {
			for v := range in {
				if v == 0 {
					done <- none{}
				} else {
					out <- v - 1
				}
			}
		}(boxes[i], boxes[(i+1)%size])
	}
	return rate(hops, func(n int) {
		boxes[0] <- uint64(n)
		<-done
	})
}

func spawnDie(n int) {
	done := make(chan int, 1)
	for i := 0; i < n; i++ {
		box := make(chan int, 1)
		go func() { done <- <-box + 1 }()
		box <- i
		check(<-done == i+1)
	}
}

func forkJoin(n int) { // 40,000 live at a time, as in Savina
	const batch = 40000
	for ; n > 0; n -= batch {
		var all sync.WaitGroup
		var sum atomic.Int64
		all.Add(batch)
		for i := 0; i < batch; i++ {
			box := make(chan int, 1)
			go func() {
				sum.Add(int64(<-box))
				all.Done()
			}()
			box <- i
		}
		all.Wait()
		check(sum.Load() == batch*(batch-1)/2)
	}
}

func node(up chan<- int, num, size int) {
	if size == 1 {
		up <- num
		return
	}
	box := make(chan int, 10)
	for i := 0; i < 10; i++ {
		go node(box, num+i*(size/10), size/10)
	}
	sum := 0
	for i := 0; i < 10; i++ {
		sum += <-box
	}
	up <- sum
}

func skynet() float64 {
	var took time.Duration
	for i := 0; i < 2; i++ { // the first warms up
		start, box := time.Now(), make(chan int, 1)
		go node(box, 0, 1000000)
		check(<-box == 499999500000)
		took = time.Since(start)
	}
	return took.Seconds()
}

func idle() float64 {
	const n = 300000
	before, done, boxes := rss(), make(chan int, 1024), make([]chan int, n)
	for i := range boxes {
		box := make(chan int)
		boxes[i] = box
		go func() { done <- <-box }()
	}
	for i := 0; i < 10; i++ { // until all of them wait
		runtime.Gosched()
	}
	used := rss() - before
	sum := 0
	for i, box := range boxes {
		box <- i
		sum += <-done
	}
	check(sum == n*(n-1)/2)
	return float64(used) / n
}

func timers() float64 {
	const n = 1000000
	var all sync.WaitGroup
	all.Add(n)
	before, _ := usage()
	for i := 0; i < n; i++ {
		time.AfterFunc(time.Duration(1+i*7919%1000)*time.Millisecond, all.Done)
	}
	all.Wait()
	after, _ := usage()
	return float64(after-before) / n
}

const (
	ping = iota
	pong
	stop
)

func big(n int) {
	const actors = 120
	type msg struct {
		kind, from int32
		n          uint64 // of a ping; its pong brings it back
	}
	pings, handled := n/2/actors, make(chan int, actors)
	done := make(chan none, actors)
	var boxes [actors]chan msg
	for i := range boxes {
		boxes[i] = make(chan msg, 128) // a ping of each of the others, a pong, a stop: nobody ever waits to send
	}
	for i := range boxes {
		go func(me int32) {
			x, left, seen := uint64(me+1), pings, 0
			next := func() {
				x = x * 16807 % 2147483647
				to := int32(x % (actors - 1))
				if to >= me {
					to++
				}
				boxes[to] <- msg{ping, me, x}
			}
			next()
			for m := range boxes[me] {
				switch m.kind {
				case ping:
					seen++
					boxes[m.from] <- msg{pong, me, m.n}
				case pong:
					check(m.n == x)
					if left--; left > 0 {
						next()
					} else {
						done <- none{}
					}
				case stop:
					handled <- seen
					return
				}
			}
		}(int32(i))
	}
	for range boxes {
		<-done
	}
	sum := 0
	for i := range boxes {
		boxes[i] <- msg{stop, 0, 0}
		sum += <-handled
	}
	check(sum == pings*actors)
}

func boundedBuffer(n int) {
	buffer, sums := make(chan int, 100), make(chan int, 4)
	for p := 0; p < 4; p++ {
		go func() {
			for i := 1; i <= n/4; i++ {
				buffer <- i
			}
		}()
		go func() {
			sum := 0
			for i := 0; i < n/4; i++ {
				sum += <-buffer
			}
			sums <- sum
		}()
	}
	each := n / 4
	check(<-sums+<-sums+<-sums+<-sums == 4*each*(each+1)/2)
}

type transfer struct {
	to     chan transfer // where to credit the amount; nil: credit it here
	amount int
	reply  chan<- none
}

func banking(n int) {
	const accounts, round = 1000, 50000
	balances, replies := make(chan int, accounts), make(chan none, round) // no account waits for the teller
	var boxes [accounts]chan transfer
	var want [accounts]int
	for i := range boxes {
		boxes[i] = make(chan transfer, 64)
		go func(box chan transfer) {
			balance, credited := 0, make(chan none, 1)
			for m := range box {
				if m.to != nil {
					balance -= m.amount
					m.to <- transfer{nil, m.amount, credited}
					<-credited
				} else {
					balance += m.amount
				}
				m.reply <- none{}
			}
			balances <- balance
		}(boxes[i])
	}
	x := 1
	random := func(n int) int {
		x = x * 16807 % 2147483647
		return x % n
	}
	for ; n > 0; n -= round {
		for i := 0; i < round; i++ {
			from := random(accounts / 10 * 8)
			to := from + 1 + random(accounts-from-1) // always upwards: no circle of waiting accounts
			amount := 1 + random(1000)
			want[from] -= amount
			want[to] += amount
			boxes[from] <- transfer{boxes[to], amount, replies}
		}
		for i := 0; i < round; i++ {
			<-replies
		}
	}
	for i, box := range boxes {
		close(box)
		check(<-balances == want[i])
	}
}

func chameneos(n int) {
	const creatures = 100
	const meet, change, exit = 0, 1, 2
	type msg struct {
		kind, colour int32
		from         chan msg
	}
	mall, counts := make(chan msg, creatures), make(chan int, creatures)
	for i := int32(0); i < creatures; i++ {
		go func(colour int32) {
			me, met := make(chan msg, 2), 0
			mall <- msg{meet, colour, me}
			for m := range me {
				switch m.kind {
				case meet:
					if colour != m.colour {
						colour = 3 - colour - m.colour
					}
					m.from <- msg{change, colour, nil}
				case change:
					colour = m.colour
				case exit:
					counts <- met
					return
				}
				met++
				mall <- msg{meet, colour, me}
			}
		}(i % 3)
	}
	for i := 0; i < n; i++ {
		first, second := <-mall, <-mall
		first.from <- second
	}
	sum := 0
	for i := 0; i < creatures; i++ {
		m := <-mall
		m.from <- msg{exit, 0, nil}
		sum += <-counts
	}
	check(sum == 2*n)
}

func throughput(n int) {
	const workers = 60
	sums := make(chan int, workers)
	var boxes [workers]chan int
	for i := range boxes {
		boxes[i] = make(chan int, 1024)
		go func(box <-chan int) {
			sum := 0
			for v := range box {
				sum += v
			}
			sums <- sum
		}(boxes[i])
	}
	each := n / workers
	for v := 1; v <= each; v++ {
		for _, box := range boxes {
			box <- v
		}
	}
	for _, box := range boxes {
		close(box)
		check(<-sums == each*(each+1)/2)
	}
}

func philosophers(n int) {
	const seats = 20
	const hungry, done = 0, 1
	type msg struct{ kind, seat int32 }
	each, left := int32(n/seats), make(chan none, seats)
	waiter := make(chan msg, 2*seats) // nobody waits to be heard
	var plates [seats]chan none
	for i := range plates {
		plates[i] = make(chan none, 1)
		go func(me int32, eat <-chan none) {
			for k := int32(0); k < each; k++ {
				waiter <- msg{hungry, me}
				<-eat
				waiter <- msg{done, me}
			}
			left <- none{}
		}(int32(i), plates[i])
	}
	var fork, waiting [seats]bool
	serve := func(i int32) {
		l, r := &fork[(i+seats-1)%seats], &fork[i]
		waiting[i] = *l || *r
		if !waiting[i] {
			*l, *r = true, true
			plates[i] <- none{}
		}
	}
	for meals := int32(0); meals < each*seats; {
		m := <-waiter
		if m.kind == hungry {
			serve(m.seat)
			continue
		}
		before, after := (m.seat+seats-1)%seats, (m.seat+1)%seats
		check(fork[before] && fork[m.seat])
		fork[before], fork[m.seat] = false, false
		meals++
		if waiting[before] {
			serve(before)
		}
		if waiting[after] {
			serve(after)
		}
	}
	for range plates {
		<-left
	}
}

func main() {
	type question struct {
		procs int
		unit  string
		run   func() float64
	}
	rated := func(n int, run func(n int)) func() float64 { return func() float64 { return rate(n, run) } }
	oneway := rated(50000000, func(n int) { fanin(1, n) })
	questions := map[string]question{
		"pingpong_one": {1, "rt/s", rated(6000000, pingpong)},
		"pingpong_two": {2, "rt/s", rated(6000000, pingpong)},
		"oneway_one":   {1, "msg/s", oneway},
		"oneway_two":   {2, "msg/s", oneway},
		"fanin_8":      {2, "msg/s", rated(40000000, func(n int) { fanin(8, n) })},
		"fanin_8_rss": {2, "MB", func() float64 {
			fanin(8, 8000000)
			_, peak := usage()
			return float64(peak) / 1e6
		}},
		"ring_503":             {1, "hops/s", func() float64 { return ring(503, 10000000) }},
		"ring_100k":            {1, "hops/s", func() float64 { return ring(100000, 3000000) }},
		"spawn_die":            {1, "actors/s", rated(4000000, spawnDie)},
		"skynet":               {2, "s", skynet},
		"idle_bytes":           {1, "B", idle},
		"timers_1m":            {1, "ns", timers},
		"big":                  {2, "msg/s", rated(10000000, big)},
		"bounded_buffer":       {2, "items/s", rated(40000000, boundedBuffer)},
		"banking":              {2, "transactions/s", rated(5000000, banking)},
		"chameneos":            {2, "meetings/s", rated(2000000, chameneos)},
		"fork_join_create":     {1, "actors/s", rated(1000000, forkJoin)},
		"fork_join_throughput": {2, "msg/s", rated(15000000, throughput)},
		"philosophers":         {2, "meals/s", rated(1000000, philosophers)},
	}
	q, known := questions[strings.Join(os.Args[1:], " ")]
	if !known {
		fmt.Fprintln(os.Stderr, "no such question")
		os.Exit(2)
	}
	runtime.GOMAXPROCS(q.procs)
	fmt.Printf("%s %.3f %s\n", os.Args[1], q.run(), q.unit)
}
