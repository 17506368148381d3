%% SPDX-License-Identifier: MIT
%%
%% place.erl - where the other node is. It stands on the command line: `-place PORT` or `-place /PATH`. So no
%% epmd is asked, none is started, and no daemon outlives the two nodes.
-module(place).
-export([here/0]).
-export([start_link/0, register_node/3, listen_port_please/2, address_please/3]). % -epmd_module place
-export([family/0, listen/2, connect/3, accept/1, recv/3, send/2, close/1, controlling_process/2]). % uds_dist

-define(DISTRIBUTION_VERSION, 5).

%% Where this node listens, as text.
here() -> persistent_term:get(?MODULE).

argument() ->
    {ok, [[Place]]} = init:get_argument(place),
    Place.

start_link() -> ignore. % nothing to run

register_node(_Name, Port, _Driver) ->
    persistent_term:put(?MODULE, if is_integer(Port) -> integer_to_list(Port); true -> argument() end),
    {ok, 1}. % the creation, which tells a node from its earlier lives: it has none

listen_port_please(_Name, _Host) -> {ok, 0}. % any

address_please(_Name, _Host, local) -> {ok, {local, argument()}, 0, ?DISTRIBUTION_VERSION};
address_please(_Name, _Host, _) -> {ok, {127, 0, 0, 1}, list_to_integer(argument()), ?DISTRIBUTION_VERSION}.

%% The sockets of uds_dist: a path takes the place of the port.
family() -> local.
listen(_Port, Options) -> local_tcp:listen(0, [{ifaddr, {local, argument()}} | Options]).
connect(Address, _Port, Options) -> local_tcp:connect(Address, 0, Options).
accept(Listener) -> local_tcp:accept(Listener).
recv(Socket, Length, Time) -> local_tcp:recv(Socket, Length, Time).
send(Socket, Bytes) -> local_tcp:send(Socket, Bytes).
close(Socket) -> local_tcp:close(Socket).
controlling_process(Socket, Pid) -> local_tcp:controlling_process(Socket, Pid).
