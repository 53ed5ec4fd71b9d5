// A small tape engine in C++17.
//
// Tensors are contiguous arrays of float64. Operations record nodes; backward walks them from the last to the first. Derivatives
// are written with the engine's own operations, so that they can be recorded and differentiated again. There are no views.

#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

// -- Tensors and nodes ----------------------------------------------------------------------------------------------------

using Shape = std::vector<int64_t>;
using Data = std::vector<double>;

struct Storage {
    Data data;
    int version = 0;  // grows with every write in place
};
struct Node;
struct Impl;
using Tensor = std::shared_ptr<Impl>;
struct Impl {
    std::shared_ptr<Storage> storage;
    Shape shape;
    bool flag = false;           // requires_grad of a leaf
    bool retains = false;        // a tensor that is no leaf keeps its gradient
    Tensor grad{};
    std::shared_ptr<Node> node{};  // what computed it; none: it is a leaf
    Data& data() { return storage->data; }
    bool requires_grad() const { return flag || node; }
};

// Refused for a reason that holds for every engine: the protocol's categories.
struct Refused : std::runtime_error {
    std::string category;
    Refused(std::string why, const std::string& text) : std::runtime_error(text), category(std::move(why)) {}
};
struct Unsupported : std::runtime_error {
    explicit Unsupported(const std::string& what) : std::runtime_error("tape has no " + what) {}
};

bool recording = true;
struct Mode {  // a region in which operations are recorded, or not
    bool before = recording;
    explicit Mode(bool now) { recording = now; }
    ~Mode() { recording = before; }
};

int64_t count(const Shape& shape) {
    int64_t n = 1;
    for (auto length : shape) n *= length;
    return n;
}
Tensor tensor(Data data, Shape shape) {
    return std::make_shared<Impl>(Impl{std::make_shared<Storage>(Storage{std::move(data)}), std::move(shape)});
}
Tensor filled(const Shape& shape, double value) { return tensor(Data(count(shape), value), shape); }

// What a node keeps for backward. The result is kept without its node, which would hold itself in a circle.
struct Saved {
    Tensor tensor;
    bool result;
    int version;
};
struct Node : std::enable_shared_from_this<Node> {
    uint64_t order;
    std::vector<Tensor> leaves{};                // of each input: the leaf that it is,
    std::vector<std::shared_ptr<Node>> nodes{};  // or the node that computed it; neither: it needs no gradient
    std::vector<Saved> saved{};
    std::weak_ptr<Impl> out{};
    std::function<std::vector<Tensor>(Node&, Tensor)> vjp{};
    bool freed = false;

    bool needs(size_t i) const { return leaves[i] || nodes[i]; }
    void check() const {
        if (freed && !saved.empty()) throw Refused("freed", "the graph was freed by an earlier backward");
#ifndef PLANTED_DEFECT
        for (const auto& s : saved)
            if (s.tensor->storage->version != s.version)
                throw Refused("version", "a tensor needed for backward was changed in place");
#endif
    }
    Tensor unpack(size_t i) {
        const auto& s = saved[i];
        if (!s.result) return s.tensor;
        return std::make_shared<Impl>(Impl{s.tensor->storage, s.tensor->shape, false, false, nullptr, shared_from_this()});
    }
};
using Vjp = decltype(Node::vjp);
uint64_t made = 0;

// Record that `inputs` gave `out`, which becomes the result of a new node. An empty tensor among `saved` stands for the result.
// Of operands that `out` was `written` over, the version before is what was saved.
Tensor record(Tensor out, const std::vector<Tensor>& inputs, const std::vector<Tensor>& saved, Vjp vjp, bool written = false) {
    bool wanted = false;
    for (const auto& t : inputs) wanted = wanted || t->requires_grad();
    if (!recording || !wanted) return out;
    auto node = std::make_shared<Node>();
    node->order = ++made;
    for (const auto& t : inputs) {
        node->leaves.push_back(t->flag ? t : nullptr);
        node->nodes.push_back(t->node);
    }
    for (const auto& t : saved) {
        Tensor kept = t ? t : std::make_shared<Impl>(Impl{out->storage, out->shape});
        node->saved.push_back({kept, !t, kept->storage->version - (written && t && t->storage == out->storage)});
    }
    node->out = out;
    node->vjp = std::move(vjp);
    out->node = node;
    return out;
}

// -- Operations -------------------------------------------------------------------------------------------------------------

Shape broadcast(const Shape& a, const Shape& b) {
    Shape shape(std::max(a.size(), b.size()));
    for (size_t i = 1; i <= shape.size(); ++i) {
        int64_t m = i <= a.size() ? a[a.size() - i] : 1, n = i <= b.size() ? b[b.size() - i] : 1;
        if (m != n && m != 1 && n != 1) throw Refused("other", "the shapes do not broadcast");
        shape[shape.size() - i] = m == 1 ? n : m;
    }
    return shape;
}
// The places in a tensor of shape `from` of all entries of `to`, to which it is broadcast.
std::vector<int64_t> places(const Shape& from, const Shape& to) {
    std::vector<int64_t> result(count(to));
    for (int64_t flat = 0; flat < static_cast<int64_t>(result.size()); ++flat) {
        int64_t rest = flat, stride = 1;
        for (size_t i = 1; i <= to.size(); ++i) {
            int64_t at = rest % to[to.size() - i];
            rest /= to[to.size() - i];
            if (i > from.size()) continue;
            result[flat] += from[from.size() - i] == 1 ? 0 : at * stride;
            stride *= from[from.size() - i];
        }
    }
    return result;
}

Tensor reshape(Tensor a, const Shape& shape) {
    return record(tensor(a->data(), shape), {a}, {}, [s = a->shape](Node&, Tensor ct) { return std::vector{reshape(ct, s)}; });
}
Tensor clone(Tensor a) { return reshape(a, a->shape); }
Tensor sum_to(Tensor a, const Shape& shape);
Tensor expand(Tensor a, const Shape& shape) {
    if (a->shape == shape) return a;
    Tensor out = filled(shape, 0.0);
    auto from = places(a->shape, shape);
    for (size_t i = 0; i < from.size(); ++i) out->data()[i] = a->data()[from[i]];
    return record(out, {a}, {}, [s = a->shape](Node&, Tensor ct) { return std::vector{sum_to(ct, s)}; });
}
Tensor sum_to(Tensor a, const Shape& shape) {  // the sums over what broadcasting from `shape` repeated
    if (a->shape == shape) return a;
    Tensor out = filled(shape, 0.0);
    auto to = places(shape, a->shape);
    for (size_t i = 0; i < to.size(); ++i) out->data()[to[i]] += a->data()[i];
    return record(out, {a}, {}, [s = a->shape](Node&, Tensor ct) { return std::vector{expand(ct, s)}; });
}
Tensor sum(Tensor a) { return sum_to(reshape(a, {count(a->shape)}), {}); }
Tensor sum_over(Tensor a, int64_t dim, bool keepdim) {
    size_t axis = dim < 0 ? dim + a->shape.size() : dim;
    Shape kept = a->shape, dropped = a->shape;
    kept.at(axis) = 1;
    dropped.erase(dropped.begin() + axis);
    return reshape(sum_to(a, kept), keepdim ? kept : dropped);
}

// A row of the table of unary operations, of x and a number k: the value; what is saved: nothing, the operand ('a'), a copy of it
// that no program can reach ('c'), or the result ('r'); and the vjp, of the cotangent, what was saved, and k.
struct Unary {
    double (*value)(double x, double k);
    char saves;
    Tensor (*vjp)(Tensor ct, Tensor s, double k);
};
extern const std::map<std::string, Unary> UNARY;
Tensor map(const std::string& op, Tensor a, double k = 0.0);

struct Binary {
    double (*value)(double x, double y);
    bool saves, always_b;  // whether each operand is saved for the gradient of the other, and b for its own too
    Tensor (*vjp_a)(Tensor ct, Tensor b);
    Tensor (*vjp_b)(Tensor ct, Tensor a, Tensor b);
};
extern const std::map<std::string, Binary> BINARY;
Tensor zip(const std::string& op, Tensor a, Tensor b);

Tensor operator*(Tensor a, Tensor b) { return zip("mul", a, b); }
Tensor operator/(Tensor a, Tensor b) { return zip("div", a, b); }
Tensor operator*(Tensor a, double k) { return map("mul_scalar", a, k); }
Tensor operator-(Tensor a) { return map("neg", a); }
Tensor zeros(Tensor like) { return map("fill", like, 0.0); }

const std::map<std::string, Unary> UNARY = {
    {"neg", {[](double x, double) { return -x; }, ' ', [](Tensor ct, Tensor, double) { return -ct; }}},
    {"exp", {[](double x, double) { return std::exp(x); }, 'r', [](Tensor ct, Tensor s, double) { return ct * s; }}},
    {"log", {[](double x, double) { return std::log(x); }, 'a', [](Tensor ct, Tensor s, double) { return ct / s; }}},
    {"sqrt", {[](double x, double) { return std::sqrt(x); }, 'r', [](Tensor ct, Tensor s, double) { return ct / (s * 2.0); }}},
    {"sin", {[](double x, double) { return std::sin(x); }, 'a', [](Tensor ct, Tensor s, double) { return ct * map("cos", s); }}},
    {"cos", {[](double x, double) { return std::cos(x); }, 'a', [](Tensor ct, Tensor s, double) { return ct * -map("sin", s); }}},
    {"tanh", {[](double x, double) { return std::tanh(x); }, 'r',
              [](Tensor ct, Tensor s, double) { return ct * map("rsub_scalar", s * s, 1.0); }}},
    {"sigmoid", {[](double x, double) { return 1.0 / (1.0 + std::exp(-x)); }, 'r',
                 [](Tensor ct, Tensor s, double) { return ct * (s * map("rsub_scalar", s, 1.0)); }}},
    {"square", {[](double x, double) { return x * x; }, 'a', [](Tensor ct, Tensor s, double) { return ct * (s * 2.0); }}},
    {"reciprocal", {[](double x, double) { return 1.0 / x; }, 'r', [](Tensor ct, Tensor s, double) { return ct * -(s * s); }}},
    {"relu", {[](double x, double) { return x > 0.0 || x != x ? x : 0.0; }, 'r',
              [](Tensor ct, Tensor s, double) { return ct * map("positive", s); }}},
    {"positive", {[](double x, double) { return x > 0.0 ? 1.0 : 0.0; }, ' ', [](Tensor ct, Tensor, double) { return zeros(ct); }}},
    {"add_scalar", {[](double x, double k) { return x + k; }, ' ', [](Tensor ct, Tensor, double) { return ct; }}},
    {"rsub_scalar", {[](double x, double k) { return k - x; }, ' ', [](Tensor ct, Tensor, double) { return -ct; }}},
    {"mul_scalar", {[](double x, double k) { return x * k; }, ' ', [](Tensor ct, Tensor, double k) { return ct * k; }}},
    {"div_scalar", {[](double x, double k) { return x / k; }, ' ', [](Tensor ct, Tensor, double k) { return map("div_scalar", ct, k); }}},
    {"rdiv_scalar", {[](double x, double k) { return k / x; }, 'c', [](Tensor ct, Tensor s, double k) { return ct * -k / (s * s); }}},
    {"pow_scalar", {[](double x, double k) { return std::pow(x, k); }, 'a',
                    [](Tensor ct, Tensor s, double k) { return ct * (map("pow_scalar", s, k - 1.0) * k); }}},
    {"fill", {[](double, double k) { return k; }, ' ', [](Tensor ct, Tensor, double) { return zeros(ct); }}},
};
const std::map<std::string, Binary> BINARY = {
    {"add", {[](double x, double y) { return x + y; }, false, false, [](Tensor ct, Tensor) { return ct; },
             [](Tensor ct, Tensor, Tensor) { return ct; }}},
    {"sub", {[](double x, double y) { return x - y; }, false, false, [](Tensor ct, Tensor) { return ct; },
             [](Tensor ct, Tensor, Tensor) { return -ct; }}},
    {"mul", {[](double x, double y) { return x * y; }, true, false, [](Tensor ct, Tensor b) { return ct * b; },
             [](Tensor ct, Tensor a, Tensor) { return ct * a; }}},
    {"div", {[](double x, double y) { return x / y; }, true, true, [](Tensor ct, Tensor b) { return ct / b; },
             [](Tensor ct, Tensor a, Tensor b) { return -(ct * ((a / b) / b)); }}},
    {"copy", {[](double, double y) { return y; }, false, false, [](Tensor ct, Tensor) { return zeros(ct); },
              [](Tensor ct, Tensor, Tensor) { return ct; }}},
};

// The result of an operation: fresh, or written over `target`.
Tensor result(Data data, const Shape& shape, Tensor target) {
    if (!target) return tensor(std::move(data), shape);
    if (shape != target->shape) throw Refused("other", "the result does not fit into the tensor that is written");
    if (recording && target->flag) throw Refused("leaf-written", "a leaf that requires grad is written in place");
    target->data() = std::move(data);
    ++target->storage->version;
    return target;
}
// `in_place`: over the operand a, of which a copy is saved where it is needed.
Tensor unary(const std::string& op, Tensor a, double k, bool in_place) {
    const Unary& row = UNARY.at(op);
    Data data(a->data().size());
    for (size_t i = 0; i < data.size(); ++i) data[i] = row.value(a->data()[i], k);
    std::vector<Tensor> saved;
    if (row.saves == 'r') saved = {nullptr};
    if (row.saves == 'a') saved = {in_place ? clone(a) : a};
    if (row.saves == 'c') saved = {clone(a)};
    Tensor out = result(std::move(data), a->shape, in_place ? a : nullptr);
    auto vjp = [&row, k](Node& n, Tensor ct) { return std::vector{row.vjp(ct, n.saved.empty() ? nullptr : n.unpack(0), k)}; };
    return record(out, {a}, saved, vjp, in_place);
}
Tensor map(const std::string& op, Tensor a, double k) { return unary(op, a, k, false); }

Tensor binary(const std::string& op, Tensor a, Tensor b, bool in_place) {
    const Binary& row = BINARY.at(op);
    Shape shape = broadcast(a->shape, b->shape);
    auto from_a = places(a->shape, shape), from_b = places(b->shape, shape);
    Data data(from_a.size());
    for (size_t i = 0; i < data.size(); ++i) data[i] = row.value(a->data()[from_a[i]], b->data()[from_b[i]]);
    std::vector<Tensor> saved;
    const bool keeps_a = row.saves && b->requires_grad(), keeps_b = row.saves && (row.always_b || a->requires_grad());
    if (keeps_a) saved.push_back(in_place ? clone(a) : a);
    if (keeps_b) saved.push_back(b);
    auto vjp = [&row, keeps_a, keeps_b, sa = a->shape, sb = b->shape](Node& n, Tensor ct) {
        Tensor kept_a = keeps_a ? n.unpack(0) : nullptr, kept_b = keeps_b ? n.unpack(keeps_a) : nullptr;
        return std::vector{n.needs(0) ? sum_to(row.vjp_a(ct, kept_b), sa) : nullptr,
                           n.needs(1) ? sum_to(row.vjp_b(ct, kept_a, kept_b), sb) : nullptr};
    };
    return record(result(std::move(data), shape, in_place ? a : nullptr), {a, b}, saved, vjp, in_place);
}
Tensor zip(const std::string& op, Tensor a, Tensor b) { return binary(op, a, b, false); }

Tensor transposed(Tensor a) {
    const int64_t m = a->shape.at(0), n = a->shape.at(1);
    Tensor out = filled({n, m}, 0.0);
    for (int64_t i = 0; i < m * n; ++i) out->data()[i % n * m + i / n] = a->data()[i];
    return record(out, {a}, {}, [](Node&, Tensor ct) { return std::vector{transposed(ct)}; });
}
Tensor mm(Tensor a, Tensor b) {
    const int64_t m = a->shape.at(0), k = a->shape.at(1), n = b->shape.at(1);
    if (b->shape[0] != k) throw Refused("other", "the matrices do not fit");
    Tensor out = filled({m, n}, 0.0);
    for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j)
            for (int64_t l = 0; l < k; ++l) out->data()[i * n + j] += a->data()[i * k + l] * b->data()[l * n + j];
    const bool keeps_a = b->requires_grad(), keeps_b = a->requires_grad();
    std::vector<Tensor> saved;
    if (keeps_a) saved.push_back(a);
    if (keeps_b) saved.push_back(b);
    return record(out, {a, b}, saved, [keeps_a, keeps_b](Node& n, Tensor ct) {
        return std::vector{keeps_b ? mm(ct, transposed(n.unpack(keeps_a))) : nullptr,
                           keeps_a ? mm(transposed(n.unpack(0)), ct) : nullptr};
    });
}

// -- Backward ---------------------------------------------------------------------------------------------------------------

void accumulate(Tensor leaf, Tensor gradient) {
    if (!leaf->flag) return;  // it stopped requiring grad after it was used
    if (!leaf->grad || recording) {
        leaf->grad = leaf->grad ? zip("add", leaf->grad, gradient) : clone(gradient);
    } else {
        Mode off(false);
        binary("add", leaf->grad, gradient, true);
    }
}

const void* place_of(Tensor t) { return t->node ? static_cast<const void*>(t->node.get()) : t.get(); }

// Walk back from the roots. Gives the gradients that came to leaves and to the nodes of `inputs`, by place. With `inputs`, only
// nodes on the way to them take part.
std::map<const void*, std::pair<Tensor, Tensor>> walk(
    const std::vector<Tensor>& roots, const std::vector<Tensor>& cotangents, bool retain, const std::vector<Tensor>* inputs) {
    std::set<const void*> asked, wanted;
    if (inputs) {
        std::map<uint64_t, Node*> reached;
        std::vector<Node*> rest;
        auto reach = [&](Node* n) { if (n && reached.emplace(n->order, n).second) rest.push_back(n); };
        for (const auto& t : *inputs) asked.insert(place_of(t));
        for (const auto& t : roots) reach(t->node.get());
        while (!rest.empty()) {
            Node* node = rest.back();
            rest.pop_back();
            for (const auto& n : node->nodes) reach(n.get());
        }
        for (const auto& [order, node] : reached)  // the oldest first: what a node leads to is known before it
            for (size_t i = 0; i < node->nodes.size(); ++i) {
                const void *leaf = node->leaves[i].get(), *before = node->nodes[i].get();
                if (asked.count(leaf) || asked.count(before) || wanted.count(before)) wanted.insert(node);
            }
    }
    std::map<const void*, std::pair<Tensor, Tensor>> found;
    std::map<uint64_t, std::pair<std::shared_ptr<Node>, Tensor>, std::greater<>> pending;
    auto send = [&](Tensor leaf, const std::shared_ptr<Node>& node, Tensor gradient) {
        const void* place = node ? static_cast<const void*>(node.get()) : leaf.get();
        if (!place || (inputs && !asked.count(place) && !wanted.count(place))) return;
        Tensor& sum = node ? (pending[node->order].first = node, pending[node->order].second)
                           : (found[place].first = leaf, found[place].second);
        sum = sum ? zip("add", sum, gradient) : gradient;
    };
    for (size_t i = 0; i < roots.size(); ++i) send(roots[i]->flag ? roots[i] : nullptr, roots[i]->node, cotangents[i]);
    while (!pending.empty()) {
        auto [node, cotangent] = pending.begin()->second;
        pending.erase(pending.begin());
        if (auto out = node->out.lock(); out && out->node == node && out->retains)
            out->grad = out->grad ? zip("add", out->grad, cotangent) : clone(cotangent);
        if (asked.count(node.get())) found[node.get()] = {nullptr, cotangent};
        if (inputs && !wanted.count(node.get())) continue;
        node->check();
        auto gradients = node->vjp(*node, cotangent);
        for (size_t i = 0; i < gradients.size(); ++i)
            if (gradients[i]) send(node->leaves[i], node->nodes[i], gradients[i]);
        if (retain) continue;
        node->freed = true;
        for (auto& s : node->saved) s.tensor = nullptr;
    }
    return found;
}
