%% SPDX-License-Identifier: MIT
%%
%% place.erl - where the other node is: it stands on the command line (-place), a port or the path of a unix
%% socket. So no epmd is asked, none is started, and none is left behind.
-module(place).
-export([here/0]).
-export([start_link/0, register_node/2, register_node/3, listen_port_please/2, address_please/3, port_please/2,
         names/1]). % what -epmd_module asks for
-export([family/0, listen/2, connect/3, accept/1, recv/3, send/2, close/1, controlling_process/2,
         getaddr/1, parse_address/1]). % what inet_tcp_dist asks of uds_dist's sockets

-define(VERSION, 5).

argument() ->
    {ok, [[Place]]} = init:get_argument(place),
    Place.

%% Where this node listens.
here() -> persistent_term:get(place).

start_link() -> ignore.
register_node(Name, Port) -> register_node(Name, Port, inet).
register_node(_Name, Port, _Family) ->
    persistent_term:put(place, Port),
    {ok, 1}.
listen_port_please(_Name, _Host) -> {ok, 0}.
address_please(_Name, _Host, local) -> {ok, {local, argument()}, 0, ?VERSION};
address_please(_Name, _Host, _Family) -> {ok, {127, 0, 0, 1}, list_to_integer(argument()), ?VERSION}.
port_please(_Name, _Host) -> {port, list_to_integer(argument()), ?VERSION}.
names(_Host) -> {error, address}.

family() -> local.
listen(_Port, Options) -> local_tcp:listen(0, [{ifaddr, {local, argument()}} | Options]).
connect(Address, _Port, Options) -> local_tcp:connect(Address, 0, Options).
accept(Listener) -> local_tcp:accept(Listener).
recv(Socket, Length, Time) -> local_tcp:recv(Socket, Length, Time).
send(Socket, Bytes) -> local_tcp:send(Socket, Bytes).
close(Socket) -> local_tcp:close(Socket).
controlling_process(Socket, Pid) -> local_tcp:controlling_process(Socket, Pid).
getaddr(_Host) -> {ok, {local, argument()}}.
parse_address(_Host) -> {error, einval}.
