%% SPDX-License-Identifier: MIT
-module(link).
-export([serve/1, ask/1]).

-define(WINDOW, 64).
-define(RUN_MS, 2000).
-define(SERVER, 'serve@localhost').

message(N) -> <<N:64, 0:448>>.

echo() ->
    receive {From, Message} -> From ! Message end,
    echo().

send_oneway() ->
    receive {From, start} -> send_from(From, 0) end.

send_from(To, N) ->
    To ! message(N),
    send_from(To, N + 1).

serve([_Question]) ->
    register(echo, spawn_opt(fun echo/0, [{message_queue_data, off_heap}])),
    register(oneway, spawn(fun send_oneway/0)),
    io:format("~s~n", [case place:here() of Port when is_integer(Port) -> integer_to_list(Port); Path -> Path end]),
    receive after infinity -> ok end.

remote(Name) ->
    true = net_kernel:connect_node(?SERVER),
    case erpc:call(?SERVER, erlang, whereis, [Name]) of Pid when is_pid(Pid) -> Pid end.

now_ns() -> erlang:monotonic_time(nanosecond).

ask([Question]) ->
    io:format("~.2f~n", [answer(Question)]),
    erlang:halt(0).

answer("link_rtt" ++ _) ->
    Laps = rtt(remote(echo), 0, now_ns(), now_ns() + ?RUN_MS * 1000000, []),
    lists:nth((length(Laps) + 1) div 2, lists:sort(Laps)) / 1000;
answer("link_oneway" ++ _) ->
    Me = self(),
    {_, Ref} = spawn_opt(fun() -> Me ! {rate, oneway(remote(oneway))} end, [monitor, {message_queue_data, off_heap},{priority,high}]),
    receive {rate, R} -> R; {'DOWN', Ref, _, _, Why} -> exit(Why) end;
answer("link_calls64" ++ _) ->
    Echo = remote(echo),
    Counts = counters:new(1, []),
    [spawn_link(fun() -> call_on(Echo, Counts, N) end) || N <- lists:seq(1, ?WINDOW)],
    Start = now_ns(),
    timer:sleep(?RUN_MS),
    counters:get(Counts, 1) * 1000000000 / (now_ns() - Start);
answer("link_win64" ++ _) ->
    Echo = remote(echo),
    [Echo ! {self(), message(N)} || N <- lists:seq(0,63)],
    win(Echo, 0, now_ns(), now_ns()).

win(Echo, N, T, U) when U - T > ?RUN_MS*1000000 -> N * 1000000000 / (U-T);
win(Echo, N, T, U) ->
    receive <<N:64,_/binary>> -> ok end,
    Echo ! {self(), message(N+64)},
    win(Echo, N+1, T, case N rem 64 of 0 -> now_ns(); _ -> U end).

rtt(_Echo, _N, Last, End, Laps) when Last >= End -> Laps;
rtt(Echo, N, Last, End, Laps) ->
    Message = message(N),
    Echo ! {self(), Message},
    receive Message -> ok end,
    Now = now_ns(),
    rtt(Echo, N + 1, Now, End, [Now - Last | Laps]).

oneway(Sender) ->
    Sender ! {self(), start},
    receive <<0:64, _/binary>> -> ok end,
    Start = now_ns(),
    oneway(1, Start, Start).

oneway(N, Start, Now) when Now - Start > ?RUN_MS * 1000000 -> (N-1) * 1000000000 / (Now - Start);
oneway(N, Start, Now) ->
    receive <<N:64, _/binary>> -> ok; Other -> exit({out_of_order, N, Other}) end,
    oneway(N + 1, Start, case N rem 64 of 0 -> now_ns(); _ -> Now end).

call_on(Echo, Counts, N) ->
    Message = message(N),
    Echo ! {self(), Message},
    receive Message -> ok end,
    counters:add(Counts, 1, 1),
    call_on(Echo, Counts, N + ?WINDOW).
