%% SPDX-License-Identifier: MIT
%%
%% uds_dist.erl - `-proto_dist uds`: Erlang's distribution over a unix socket. All of it is inet_tcp_dist, told
%% to open its sockets by place.erl, as its IPv6 brother tells it to use inet6_tcp.
-module(uds_dist).
-export([listen/2, accept/1, accept_connection/5, setup/5, close/1, select/1, address/0]).

listen(Name, Host) -> inet_tcp_dist:gen_listen(place, Name, Host).
accept(Listener) -> inet_tcp_dist:gen_accept(place, Listener).
accept_connection(Acceptor, Socket, Me, Allowed, Time) ->
    inet_tcp_dist:gen_accept_connection(place, Acceptor, Socket, Me, Allowed, Time).
setup(Node, Type, Me, Names, Time) -> inet_tcp_dist:gen_setup(place, Node, Type, Me, Names, Time).
close(Socket) -> inet_tcp_dist:close(Socket).
select(_Node) -> true.
address() -> inet_tcp_dist:gen_address(place).
