%% SPDX-License-Identifier: MIT
%%
%% bench.erl - the questions in Erlang: main([Question]) prints `QUESTION VALUE UNIT`.
%%
%% Plain processes with spawn, ! and receive: no gen_server (its call costs a monitor and several
%% function calls), unselective receives where the protocol allows, and make_ref before a selective one,
%% which lets the VM skip what was in the mailbox before. The one receiver of oneway and fanin keeps its
%% messages off its heap ({message_queue_data, off_heap}), so that senders on another core take no lock
%% of it and its collections leave the queue alone. Mailboxes are unbounded: fanin_8_rss depends on how
%% far the producers get ahead. pingpong_two and oneway_two bind their processes to one scheduler each,
%% by the undocumented spawn option for it. The million idle processes hibernate, as one does with so
%% many. The language has no channel: bounded_buffer is a process that owns the queue.
-module(bench).
-export([main/1, wait/1]).

main([Question]) ->
    spawn(fun() ->
        try question(list_to_atom(Question)) of
            {Value, Unit} ->
                io:format("~s ~.3f ~s~n", [Question, float(Value), Unit]),
                halt(0)
        catch
            _:Why ->
                io:format(standard_error, "~p~n", [Why]),
                halt(1)
        end
    end).

question(pingpong_one) -> {rate(5000000, fun(N) -> pingpong(N, []) end), "rt/s"};
question(pingpong_two) -> {rate(200000, fun(N) -> pingpong(N, [{scheduler, 2}]) end), "rt/s"};
question(oneway_one) -> {rate(20000000, fun(N) -> fanin(1, N, []) end), "msg/s"};
question(oneway_two) -> {rate(10000000, fun(N) -> fanin(1, N, [{scheduler, 2}]) end), "msg/s"};
question(fanin_8) -> {rate(8000000, fun(N) -> fanin(8, N, []) end), "msg/s"};
question(fanin_8_rss) ->
    fanin(8, 8000000, []),
    {status("VmHWM:") / 1.0e6, "MB"};
question(ring_503) -> {ring(503, 10000000), "hops/s"};
question(ring_100k) -> {ring(100000, 3000000), "hops/s"};
question(spawn_die) -> {rate(2000000, fun spawn_die/1), "actors/s"};
question(fork_join_create) -> {rate(2000000, fun fork_join/1), "actors/s"};
question(skynet) ->
    skynet(), % warms up
    {time(fun skynet/0), "s"};
question(idle_bytes) -> {idle(1000000), "B"};
question(timers_1m) -> {timers(1000000), "ns"};
question(big) -> {rate(10000000, fun big/1), "msg/s"};
question(bounded_buffer) -> {rate(2000000, fun bounded_buffer/1), "items/s"};
question(banking) -> {rate(500000, fun banking/1), "transactions/s"};
question(chameneos) -> {rate(2000000, fun chameneos/1), "meetings/s"};
question(fork_join_throughput) -> {rate(2000000, fun throughput/1), "msg/s"};
question(philosophers) -> {rate(500000, fun philosophers/1), "meals/s"};
question(_) -> throw('no such question').

time(Run) ->
    Start = erlang:monotonic_time(nanosecond),
    Run(),
    (erlang:monotonic_time(nanosecond) - Start) / 1.0e9.

rate(N, Run) ->
    Run(N div 10), % warms up
    N / time(fun() -> Run(N) end).

%% A size of this process in bytes, as /proc/self/status has it in kB.
status(Key) ->
    {ok, Text} = file:read_file("/proc/self/status"),
    [_, Rest] = string:split(Text, Key),
    [KB | _] = string:lexemes(Rest, "\t "),
    binary_to_integer(KB) * 1024.

%% User and system time so far in ns; the kernel counts it here in 1/100 s.
cpu() ->
    {ok, Text} = file:read_file("/proc/self/stat"),
    [_, Rest] = string:split(Text, ") "),
    Fields = string:lexemes(Rest, " "),
    (binary_to_integer(lists:nth(12, Fields)) + binary_to_integer(lists:nth(13, Fields))) * 10000000.

random(X) -> X * 16807 rem 2147483647.

pingpong(N, Where) ->
    Me = self(),
    spawn_opt(fun() ->
        Ping = self(),
        ping(spawn_opt(fun() -> pong(Ping) end, Where), 0, N),
        Me ! done
    end, [{scheduler, 1}]),
    receive done -> ok end.

ping(Pong, N, N) -> Pong ! stop;
ping(Pong, I, N) ->
    Pong ! I,
    receive J when J =:= I + 1 -> ping(Pong, J, N) end.

pong(Ping) ->
    receive
        I when is_integer(I) -> Ping ! I + 1, pong(Ping);
        stop -> ok
    end.

fanin(Producers, N, Where) ->
    Me = self(),
    Each = N div Producers,
    spawn_opt(fun() ->
        Box = self(),
        Bound = [{scheduler, 1} || Where =/= []],
        [spawn_opt(fun() -> produce(Box, Each) end, Bound) || _ <- lists:seq(1, Producers)],
        Me ! consume(N, 0)
    end, [{message_queue_data, off_heap} | Where]),
    Sum = Producers * Each * (Each + 1) div 2,
    receive Sum -> ok end.

produce(_, 0) -> ok;
produce(To, I) -> To ! I, produce(To, I - 1).

consume(0, Sum) -> Sum;
consume(N, Sum) -> receive V -> consume(N - 1, Sum + V) end.

ring(Size, Hops) ->
    Main = self(),
    First = spawn(fun() -> receive Next -> hop(Next, Main) end end),
    First ! lists:foldl(fun(_, Next) -> spawn(fun() -> hop(Next, Main) end) end, First, lists:seq(2, Size)),
    rate(Hops, fun(N) -> First ! N, receive 0 -> ok end end).

hop(Next, Main) ->
    receive
        0 -> Main ! 0, hop(Next, Main);
        N when is_integer(N) -> Next ! N - 1, hop(Next, Main)
    end.

spawn_die(0) -> ok;
spawn_die(N) ->
    Me = self(),
    spawn(fun() -> receive V -> Me ! V + 1 end end) ! N,
    receive V when V =:= N + 1 -> spawn_die(N - 1) end.

fork_join(N) when N =< 0 -> ok;
fork_join(N) -> % 40,000 live at a time, as in Savina
    Me = self(),
    [spawn(fun() -> receive V -> Me ! V end end) ! I || I <- lists:seq(1, 40000)],
    800020000 = consume(40000, 0),
    fork_join(N - 40000).

skynet() ->
    Me = self(),
    spawn(fun() -> node(Me, 0, 1000000) end),
    receive 499999500000 -> ok end.

node(Up, Num, 1) -> Up ! Num;
node(Up, Num, Size) ->
    Me = self(),
    Part = Size div 10,
    [spawn(fun() -> node(Me, Num + I * Part, Part) end) || I <- lists:seq(0, 9)],
    Up ! consume(10, 0).

idle(N) ->
    Before = status("VmRSS:"),
    Me = self(),
    All = [spawn(fun() -> erlang:hibernate(?MODULE, wait, [Me]) end) || _ <- lists:seq(1, N)],
    timer:sleep(1000),
    Used = status("VmRSS:") - Before,
    [P ! 1 || P <- All],
    N = consume(N, 0),
    Used / N.

wait(To) -> receive V -> To ! V end.

timers(N) ->
    Before = cpu(),
    [erlang:send_after(1 + I * 7919 rem 1000, self(), 1) || I <- lists:seq(1, N)],
    N = consume(N, 0),
    (cpu() - Before) / N.

big(N) ->
    Me = self(),
    Pings = N div 240,
    All = [spawn(fun() ->
        receive Peers when tuple_size(Peers) == 120 -> big_next(I, Pings, 0, I, Peers, Me) end
    end) || I <- lists:seq(1, 120)],
    Peers = list_to_tuple(All),
    [P ! Peers || P <- All],
    [receive done -> ok end || _ <- All],
    [P ! stop || P <- All],
    Handled = 120 * Pings,
    Handled = consume(120, 0).

big_next(X, Left, Seen, I, Peers, Main) ->
    Y = random(X),
    To = 1 + Y rem 119,
    element(if To >= I -> To + 1; true -> To end, Peers) ! {self(), Y},
    big_loop(Y, Left, Seen, I, Peers, Main).

big_loop(X, Left, Seen, I, Peers, Main) ->
    receive
        {From, N} -> From ! N, big_loop(X, Left, Seen + 1, I, Peers, Main);
        X when Left > 1 -> big_next(X, Left - 1, Seen, I, Peers, Main);
        X -> Main ! done, big_loop(X, 0, Seen, I, Peers, Main);
        stop -> Main ! Seen
    end.

bounded_buffer(N) ->
    Me = self(),
    Each = N div 4,
    Buffer = spawn(fun() -> buffer(queue:new(), 0, [], []) end),
    [spawn(fun() -> put_all(Buffer, Each) end) || _ <- lists:seq(1, 4)],
    [spawn(fun() -> Me ! get_all(Buffer, Each, 0) end) || _ <- lists:seq(1, 4)],
    Sum = 4 * Each * (Each + 1) div 2,
    Sum = consume(4, 0),
    Buffer ! stop.

put_all(_, 0) -> ok;
put_all(Buffer, I) -> Buffer ! {self(), I}, receive ok -> put_all(Buffer, I - 1) end.

get_all(_, 0, Sum) -> Sum;
get_all(Buffer, I, Sum) -> Buffer ! self(), receive V -> get_all(Buffer, I - 1, Sum + V) end.

%% Items, how many, the producers that wait with their item, the consumers that wait.
buffer(Items, Size, Full, Empty) ->
    receive
        {From, V} when Empty =/= [] ->
            From ! ok, hd(Empty) ! V, buffer(Items, Size, Full, tl(Empty));
        {From, V} when Size < 100 ->
            From ! ok, buffer(queue:in(V, Items), Size + 1, Full, Empty);
        {_, _} = Late -> buffer(Items, Size, Full ++ [Late], Empty);
        stop -> ok;
        To when Size =:= 0 -> buffer(Items, Size, Full, Empty ++ [To]);
        To ->
            {{value, V}, Rest} = queue:out(Items),
            To ! V,
            case Full of
                [] -> buffer(Rest, Size - 1, Full, Empty);
                [{From, W} | More] -> From ! ok, buffer(queue:in(W, Rest), Size, More, Empty)
            end
    end.

banking(N) ->
    Accounts = list_to_tuple([spawn(fun() -> account(0) end) || _ <- lists:seq(1, 1000)]),
    Want = counters:new(1000, []),
    teller(N, 1, Accounts, Want),
    [begin
         element(I, Accounts) ! {close, self()},
         Is = counters:get(Want, I),
         Is = receive Balance -> Balance end
     end || I <- lists:seq(1, 1000)].

teller(N, _, _, _) when N =< 0 -> ok;
teller(N, X, Accounts, Want) ->
    Y = transfer(50000, X, Accounts, Want),
    50000 = consume(50000, 0),
    teller(N - 50000, Y, Accounts, Want).

transfer(0, X, _, _) -> X;
transfer(I, X, Accounts, Want) ->
    Y = random(X),
    Z = random(Y),
    From = Y rem 800,
    To = From + 1 + Z rem (999 - From), % always upwards: no circle of waiting accounts
    Amount = 1 + Z rem 1000,
    counters:sub(Want, From + 1, Amount),
    counters:add(Want, To + 1, Amount),
    element(From + 1, Accounts) ! {debit, self(), element(To + 1, Accounts), Amount},
    transfer(I - 1, Z, Accounts, Want).

account(Balance) ->
    receive
        {debit, Teller, To, Amount} ->
            Ref = make_ref(),
            To ! {credit, self(), Ref, Amount},
            receive Ref -> Teller ! 1, account(Balance - Amount) end;
        {credit, From, Ref, Amount} -> From ! Ref, account(Balance + Amount);
        {close, To} -> To ! Balance
    end.

chameneos(N) ->
    Mall = self(),
    [spawn(fun() -> Mall ! {I rem 3, self()}, creature(Mall, I rem 3, 0) end) || I <- lists:seq(1, 100)],
    mall(N),
    [receive {_, Creature} -> Creature ! {exit, Mall} end || _ <- lists:seq(1, 100)],
    Met = 2 * N,
    Met = consume(100, 0).

mall(0) -> ok;
mall(N) ->
    receive {_, First} -> receive Second -> First ! Second, mall(N - 1) end end.

creature(Mall, Colour, Met) ->
    receive
        {exit, To} -> To ! Met;
        {Other, Who} ->
            New = if Other =:= Colour -> Colour; true -> 3 - Other - Colour end,
            Who ! New,
            Mall ! {New, self()},
            creature(Mall, New, Met + 1);
        New ->
            Mall ! {New, self()},
            creature(Mall, New, Met + 1)
    end.

throughput(N) ->
    Me = self(),
    Each = N div 60,
    Workers = [spawn_opt(fun() -> Me ! consume(Each, 0) end, [{message_queue_data, off_heap}]) || _ <- lists:seq(1, 60)],
    in_turn(Each, Workers),
    Sum = 60 * (Each * (Each + 1) div 2),
    Sum = consume(60, 0).

in_turn(0, _) -> ok;
in_turn(I, Workers) ->
    [W ! I || W <- Workers],
    in_turn(I - 1, Workers).

philosophers(N) ->
    Me = self(),
    Each = N div 20,
    spawn(fun() ->
        Waiter = self(),
        [spawn(fun() -> live(I, Each, Waiter) end) || I <- lists:seq(0, 19)],
        serve(20 * Each, 0, #{}),
        Me ! served
    end),
    receive served -> ok end.

live(_, 0, _) -> ok;
live(I, N, Waiter) ->
    Waiter ! {I, self()},
    receive eat -> Waiter ! I, live(I, N - 1, Waiter) end.

%% Meals to come, the forks in somebody's hand as bits (right of I is bit I), who waits.
serve(0, _, _) -> ok;
serve(Meals, Forks, Waiting) ->
    receive
        {I, Who} ->
            {Now, Rest} = try_serve(I, Who, Forks, Waiting),
            serve(Meals, Now, Rest);
        I ->
            Both = both(I),
            Both = Forks band Both, % or it ate without
            {F1, W1} = again((I + 19) rem 20, Forks bxor Both, Waiting),
            {F2, W2} = again((I + 1) rem 20, F1, W1),
            serve(Meals - 1, F2, W2)
    end.

both(I) -> (1 bsl I) bor (1 bsl ((I + 19) rem 20)).

try_serve(I, Who, Forks, Waiting) ->
    Both = both(I),
    if
        Forks band Both =:= 0 -> Who ! eat, {Forks bor Both, Waiting};
        true -> {Forks, Waiting#{I => Who}}
    end.

again(I, Forks, Waiting) ->
    case Waiting of
        #{I := Who} -> try_serve(I, Who, Forks, maps:remove(I, Waiting));
        _ -> {Forks, Waiting}
    end.
