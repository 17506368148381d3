// SPDX-License-Identifier: MIT
// What a C++ program writes: the types' macros, a local description of an actor, every header.
#include <reparto/reparto.h>

#include <cstdio>
#include <cstring>

namespace {

struct num {
    int64_t n;
    char who[8];
};
const rp_field num_fields[] = {RP_FIELD(num, n, RP_I64), RP_FIELD(num, who, RP_CHARS)};
const rp_type num_type = RP_TYPE("test.num", num, num_fields);

int answer(rp_self *me, void *, const rp_msg *m)
{
    const num *n = static_cast<const num *>(rp_body(m, &num_type));
    num r = *n;
    r.n *= 2;
    return rp_wants_reply(m) ? rp_reply(me, m, &num_type, &r) : 0;
}

int start(rp_self *me, rp_ref *ret)
{
    char name[] = "local";
    rp_actor a{};
    a.name = name;
    a.handle = answer;
    rp_spawn_opts o{};
    o.on = RP_SPREAD;
    return rp_spawn(me, &a, &o, ret);
}

int root(rp_self *me, void *)
{
    rp_ref r;
    rp_msg *m = nullptr;
    int rc = start(me, &r);
    num q{21, "x"};
    if (rc == 0)
        rc = rp_call(me, r, &num_type, &q, &m, RP_FOREVER);
    if (rc == 0)
        std::printf("%d\n", static_cast<int>(static_cast<const num *>(rp_body(m, &num_type))->n));
    rp_msg_drop(me, m);
    return rc;
}

} // namespace

int main()
{
    rp_actor a{};
    a.name = "root";
    a.run = root;
    return rp_run(&a, nullptr, nullptr) != 0;
}
