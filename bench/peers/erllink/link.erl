%% SPDX-License-Identifier: MIT
%%
%% link.erl - two nodes of distributed Erlang: a process here sends to a process there with `!`.
%%
%%     link serve QUESTION    says where the node listens, then echoes, or sends without end
%%     link ask   QUESTION    prints the figure
%%
%% Messages are binaries of 64 bytes that begin with their number; whoever wants an answer sends its pid along.
%% Calls are made by 64 processes, each waiting for its own answer, which needs no reference: a process has one
%% call under way. Not gen_server:call, whose monitor costs two more signals over the link.
%% The flags of the nodes, which are worth more than anything in here, stand in `peer`.
-module(link).
-export([serve/1, ask/1]).

-define(SERVER, 'serve@localhost').
-define(WINDOW, 64).
-define(RUN_NS, 1000000000).

message(N) -> <<N:64, 0:448>>.

now_ns() -> erlang:monotonic_time(nanosecond).

%% ---- the server ----

serve([_Question]) ->
    os:set_signal(sigterm, default), % ends at once
    register(echo, spawn_opt(fun echo/0, [{message_queue_data, off_heap}])),
    register(sender, spawn(fun sender/0)),
    io:format("~s~n", [place:here()]).

echo() ->
    receive {From, Message} -> From ! Message end,
    echo().

sender() ->
    receive {From, start} -> send_to(From, 0) end.

send_to(To, N) ->
    To ! message(N),
    send_to(To, N + 1).

%% ---- the asker ----

ask(["link_rtt" ++ _]) -> finish("~.2f~n", rtt(far(echo)));
ask(["link_oneway" ++ _]) -> finish("~b~n", round(oneway(far(sender))));
ask(["link_calls64" ++ _]) -> finish("~b~n", round(calls(far(echo)))).

finish(Format, Figure) ->
    io:format(Format, [Figure]),
    halt().

far(Name) ->
    Pid = erpc:call(?SERVER, erlang, whereis, [Name]),
    true = is_pid(Pid),
    Pid.

call(Echo, N) ->
    Message = message(N),
    Echo ! {self(), Message},
    receive Message -> ok end.

rtt(Echo) ->
    Start = now_ns(),
    Laps = lists:sort(laps(Echo, 0, Start, Start + ?RUN_NS, [])),
    lists:nth(length(Laps) div 2 + 1, Laps) / 1000.

laps(_Echo, _N, Last, End, Laps) when Last >= End -> Laps;
laps(Echo, N, Last, End, Laps) ->
    call(Echo, N),
    Now = now_ns(),
    laps(Echo, N + 1, Now, End, [Now - Last | Laps]).

oneway(Sender) ->
    process_flag(message_queue_data, off_heap),
    Sender ! {self(), start},
    expect(0),
    Start = now_ns(),
    count(1, Start, Start).

%% Returns messages a second. N is the next message.
count(N, Start, Now) when Now - Start > ?RUN_NS -> (N - 1) * 1000000000 / (Now - Start);
count(N, Start, Now) ->
    expect(N),
    count(N + 1, Start, case N rem 64 of 0 -> now_ns(); _ -> Now end).

expect(N) ->
    receive
        <<N:64, _:448>> -> ok;
        Other -> exit({out_of_order, N, Other})
    end.

calls(Echo) ->
    Answers = counters:new(1, []),
    Start = now_ns(),
    [spawn_link(fun() -> call_on(Echo, N, Answers) end) || N <- lists:seq(1, ?WINDOW)],
    timer:sleep(?RUN_NS div 1000000),
    counters:get(Answers, 1) * 1000000000 / (now_ns() - Start).

call_on(Echo, N, Answers) ->
    call(Echo, N),
    counters:add(Answers, 1, 1),
    call_on(Echo, N + ?WINDOW, Answers).
