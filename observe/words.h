/* SPDX-License-Identifier: MIT
 *
 * words.h - what can be asked at the endpoint (observe/endpoint.h): one line for each in words.c.
 */
#ifndef RP__WORDS_H
#define RP__WORDS_H

#include "observe/endpoint.h"

extern const struct rp__word rp__words[];

int rp__inject(rp_self *me, struct rp__text *t, const char *rest);      /* inject.c */
int rp__say_profile(rp_self *me, struct rp__text *t, const char *rest); /* profile.c */
int rp__say_trace(rp_self *me, struct rp__text *t, const char *rest);   /* tracer.c */
int rp__say_dead(rp_self *me, struct rp__text *t, const char *rest);    /* dead.c */
int rp__say_failures(rp_self *me, struct rp__text *t, const char *rest); /* failures.c */
int rp__say_failures_alone(rp_system *sys, struct rp__text *t, const char *rest);
int rp__say_metrics(rp_self *me, struct rp__text *t, const char *rest); /* metrics.c */
int rp__say_metrics_alone(rp_system *sys, struct rp__text *t, const char *rest); /* but for what has to be counted */

#endif
