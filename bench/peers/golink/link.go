// SPDX-License-Identifier: MIT
//
// link.go - two processes in Go over one net.Conn.
//
//	link serve QUESTION WHERE    WHERE: host:port (0: any) or the path of a unix socket; prints it
//	link ask   QUESTION WHERE    prints the figure
//
// Messages are 64 bytes behind a 4-byte length. The fast way in Go: a bufio.Reader of 64 KiB whose frames
// are used in place (Peek and Discard), and a bufio.Writer that is flushed by the goroutine that is about to
// wait: what one read brought is answered by one write. Calls are made by 64 goroutines, each of which waits
// for its answer: one writer takes them from a channel and flushes when that is empty, one reader hands each
// answer to its caller. (One goroutine with 64 messages under way is twice as fast, but there nobody calls.)
package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	payload = 64
	window  = 64
	room    = 64 * 1024
	runTime = time.Second
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A link is one end of the connection.
type link struct {
	conn  net.Conn
	r     *bufio.Reader
	w     *bufio.Writer
	frame [4 + payload]byte
}

func newLink(conn net.Conn) *link {
	l := &link{conn: conn, w: bufio.NewWriterSize(conn, room)}
	l.r = bufio.NewReaderSize(conn, room)
	binary.LittleEndian.PutUint32(l.frame[:], payload)
	return l
}

// Read sends what is buffered before it waits for more: the source of a reader that answers.
func (l *link) Read(p []byte) (int, error) {
	if err := l.w.Flush(); err != nil {
		return 0, err
	}
	return l.conn.Read(p)
}

func (l *link) send(number uint64) {
	binary.LittleEndian.PutUint64(l.frame[4:], number)
	_, err := l.w.Write(l.frame[:])
	check(err)
}

// peek returns the next frame, whole, in the reader's buffer.
func (l *link) peek() ([]byte, error) {
	head, err := l.r.Peek(4)
	if err != nil {
		return nil, err
	}
	size := binary.LittleEndian.Uint32(head)
	if size != payload {
		return nil, fmt.Errorf("length %d", size)
	}
	return l.r.Peek(4 + int(size))
}

func (l *link) take() uint64 {
	frame, err := l.peek()
	check(err)
	number := binary.LittleEndian.Uint64(frame[4:])
	l.r.Discard(len(frame))
	return number
}

func (l *link) expect(number uint64) {
	if got := l.take(); got != number {
		check(fmt.Errorf("message %d out of order: %d", number, got))
	}
}

func (l *link) echo() {
	l.r.Reset(l)
	for {
		frame, err := l.peek()
		if err == io.EOF {
			return
		}
		check(err)
		_, err = l.w.Write(frame)
		check(err)
		l.r.Discard(len(frame))
	}
}

func (l *link) askRTT() float64 {
	laps := make([]time.Duration, 0, 1<<20)
	start := time.Now()
	for last := start; last.Sub(start) < runTime && len(laps) < cap(laps); {
		number := uint64(len(laps))
		l.send(number)
		check(l.w.Flush())
		l.expect(number)
		now := time.Now()
		laps = append(laps, now.Sub(last))
		last = now
	}
	sort.Slice(laps, func(i, j int) bool { return laps[i] < laps[j] })
	return float64(laps[len(laps)/2]) / 1e3
}

func (l *link) askOneway() float64 {
	l.expect(0)
	start := time.Now()
	for seq := uint64(1); ; seq++ {
		l.expect(seq)
		if seq%64 == 0 {
			if t := time.Since(start); t > runTime {
				return float64(seq) / t.Seconds()
			}
		}
	}
}

func (l *link) write(calls <-chan uint64) {
	for number := range calls {
		l.send(number)
		if len(calls) == 0 {
			runtime.Gosched() // whoever can call now still gets into this write
		}
		if len(calls) == 0 {
			check(l.w.Flush())
		}
	}
}

func (l *link) askCalls() float64 {
	var done atomic.Bool
	var sum atomic.Uint64
	var callers sync.WaitGroup
	var answers [window]chan uint64
	calls := make(chan uint64, window)
	start := time.Now()
	for i := range answers {
		answers[i] = make(chan uint64, 1)
		callers.Add(1)
		go func(number uint64, answer <-chan uint64) {
			defer callers.Done()
			n := uint64(0)
			for ; !done.Load(); n++ {
				calls <- number
				if got := <-answer; got != number {
					check(fmt.Errorf("answer %d to %d", got, number))
				}
				number += window
			}
			sum.Add(n)
		}(uint64(i), answers[i])
	}
	go l.write(calls)
	go func() {
		for {
			number := l.take()
			answers[number%window] <- number
		}
	}()
	time.Sleep(runTime)
	done.Store(true)
	callers.Wait()
	return float64(sum.Load()) / time.Since(start).Seconds()
}

func serve(network, question, where string) {
	listener, err := net.Listen(network, where)
	check(err)
	fmt.Println(listener.Addr())
	conn, err := listener.Accept()
	check(err)
	l := newLink(conn)
	if !strings.Contains(question, "oneway") {
		l.echo()
		return
	}
	for seq := uint64(0); ; seq++ {
		l.send(seq)
	}
}

func main() {
	if len(os.Args) != 4 {
		os.Exit(2)
	}
	question, where, network := os.Args[2], os.Args[3], "tcp"
	if strings.HasPrefix(where, "/") {
		network = "unix"
	}
	if os.Args[1] == "serve" {
		serve(network, question, where)
		return
	}
	conn, err := net.Dial(network, where)
	check(err)
	l := newLink(conn)
	switch {
	case strings.Contains(question, "rtt"):
		fmt.Printf("%.2f\n", l.askRTT())
	case strings.Contains(question, "oneway"):
		fmt.Printf("%.0f\n", l.askOneway())
	default:
		fmt.Printf("%.0f\n", l.askCalls())
	}
}
