%% SPDX-License-Identifier: MIT
%%
%% uds_dist.erl - `-proto_dist uds`: Erlang's distribution over one unix socket. It is inet_tcp_dist, which takes
%% the module that opens sockets as an argument (for IPv6 that is its own use of it), with place.erl's.
-module(uds_dist).
-export([listen/2, listen/1, accept/1, accept_connection/5, setup/5, close/1, select/1, address/0]).

listen(Name, Host) -> inet_tcp_dist:gen_listen(place, Name, Host).
listen(Name) -> listen(Name, "localhost").
accept(Listener) -> inet_tcp_dist:gen_accept(place, Listener).
accept_connection(Acceptor, Socket, Me, Allowed, Time) ->
    inet_tcp_dist:gen_accept_connection(place, Acceptor, Socket, Me, Allowed, Time).
setup(Node, Type, Me, Names, Time) -> inet_tcp_dist:gen_setup(place, Node, Type, Me, Names, Time).
close(Socket) -> inet_tcp_dist:close(Socket).
select(_Node) -> true.
address() -> inet_tcp_dist:gen_address(place).
