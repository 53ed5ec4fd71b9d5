// The child by which the conformance suite runs programs on the engine of tape.hpp, and tells what was seen.
// For another engine, change the table of ops, what is seen of a tensor, and the steps; docs/protocol/README.md says what they mean.

#include <iostream>
#include <nlohmann/json.hpp>

#include "tape.hpp"

using Json = nlohmann::json;

using Operands = std::vector<Tensor>;
using Call = std::function<Tensor(const Operands& t, const Json& params)>;

// The ops of the catalogue (docs/protocol/ops.tsv). Of an op in place, the first operand is the target.
std::map<std::string, Call> catalogue() {
    auto mean = [](Tensor sum, Tensor a) { return map("div_scalar", sum, double(a->data().size()) / sum->data().size()); };
    std::map<std::string, Call> ops = {
        {"clone", [](auto& t, auto&) { return clone(t[0]); }},
        {"sum", [](auto& t, auto&) { return sum(t[0]); }},
        {"sum_dim", [](auto& t, auto& p) { return sum_over(t[0], p["dim"], p["keepdim"]); }},
        {"mean", [mean](auto& t, auto&) { return mean(sum(t[0]), t[0]); }},
        {"mean_dim", [mean](auto& t, auto& p) { return mean(sum_over(t[0], p["dim"], p["keepdim"]), t[0]); }},
        {"mm", [](auto& t, auto&) { return mm(t[0], t[1]); }},
        {"addcmul", [](auto& t, auto& p) { return zip("add", t[0], t[1] * t[2] * double(p["value"])); }},
        {"zero_", [](auto& t, auto&) { return unary("fill", t[0], 0.0, true); }},
        {"fill_", [](auto& t, auto& p) { return unary("fill", t[0], p["value"], true); }},
        {"sub_scalar_", [](auto& t, auto& p) { return unary("add_scalar", t[0], -double(p["value"]), true); }},
        {"pow_", [](auto& t, auto& p) { return unary("pow_scalar", t[0], p["exponent"], true); }},
        {"copy_", [](auto& t, auto&) { return binary("copy", t[0], t[1], true); }},
    };
    auto number = [](const Json& p) { return p.value("value", p.value("exponent", 0.0)); };
    for (const std::string op : {"neg", "exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid", "square", "reciprocal", "relu",
                                 "add_scalar", "mul_scalar", "div_scalar"}) {
        ops[op] = [=](auto& t, auto& p) { return unary(op, t[0], number(p), false); };
        ops[op + "_"] = [=](auto& t, auto& p) { return unary(op, t[0], number(p), true); };
    }
    for (const std::string op : {"rsub_scalar", "rdiv_scalar", "pow_scalar"})
        ops[op] = [=](auto& t, auto& p) { return unary(op, t[0], number(p), false); };
    for (const std::string op : {"add", "sub", "mul", "div"}) {
        ops[op] = [=](auto& t, auto&) { return binary(op, t[0], t[1], false); };
        ops[op + "_"] = [=](auto& t, auto&) { return binary(op, t[0], t[1], true); };
    }
    return ops;
}
const auto OPS = catalogue();

Json number(double x) {  // JSON has no NaN and no infinities
    if (std::isnan(x)) return "nan";
    if (std::isinf(x)) return x > 0 ? "inf" : "-inf";
    return x;
}
Json values(Tensor t, size_t axis = 0, int64_t from = 0) {
    if (axis == t->shape.size()) return number(t->data()[from]);
    Json rows = Json::array();
    int64_t stride = 1;
    for (size_t i = axis + 1; i < t->shape.size(); ++i) stride *= t->shape[i];
    for (int64_t i = 0; i < t->shape[axis]; ++i) rows.push_back(values(t, axis + 1, from + i * stride));
    return rows;
}

// What can be seen of a tensor; `version`, `memory` and `alive` are seen by a run.
const std::vector<std::pair<std::string, Json (*)(Tensor)>> LOOK = {
    {"value", [](Tensor t) { return values(t); }},
    {"shape", [](Tensor t) { return Json(t->shape); }},
    {"dtype", [](Tensor) { return Json("float64"); }},
    {"requires_grad", [](Tensor t) { return Json(t->requires_grad()); }},
    {"is_leaf", [](Tensor t) { return Json(!t->node); }},
    {"grad_fn", [](Tensor t) { return Json(bool(t->node)); }},
    {"grad", [](Tensor t) { return t->grad ? values(t->grad) : Json(); }},
};

// One run of one program, by the thorough schedule: after every step, every facet of every slot.
class Run {
    static const std::map<std::string, void (Run::*)(const Json&)> STEPS;
    std::map<int, Tensor> slots;
    std::map<int, std::weak_ptr<Impl>> dropped;
    std::map<int, int> versions;
    std::set<int> gradients;  // slots that hold gradients
    std::vector<bool> modes;  // what was in force outside of the regions that are open
    std::set<std::string> facets;
    Json sights = Json::array();
    int place = 0;

    void see(int slot, const std::string& facet, Json content) { sights.push_back({place, slot, facet, std::move(content)}); }
    Tensor at(int slot) {
        auto found = slots.find(slot);
        if (found == slots.end()) throw Refused("other", "there is no gradient in slot " + std::to_string(slot));
        return found->second;
    }
    Operands all(const Json& numbers) {
        Operands result;
        for (int slot : numbers) result.push_back(at(slot));
        return result;
    }

    void look() {
        for (auto& [slot, t] : slots) {
            for (auto& [facet, content] : LOOK)
                if (facets.count(facet)) see(slot, facet, content(t));
            if (!facets.count("version")) continue;
            const int version = t->storage->version;
            see(slot, "version", versions.emplace(slot, version).first->second != version);
            versions[slot] = version;
        }
        relations();
        if (facets.count("alive"))
            for (auto& [slot, tensor] : dropped) see(slot, "alive", !tensor.expired());
    }
    void relations() {  // who lies in whose memory, and who is whose gradient
        if (!facets.count("memory")) return;
        std::map<Impl*, int> named;
        std::map<Storage*, Json> memory;
        for (auto& [slot, t] : slots) named[t.get()] = slot;
        for (auto& [slot, t] : slots)
            if (!t->data().empty())
                see(slot, gradients.count(slot) ? "grad_memory" : "memory", memory.emplace(t->storage.get(), slot).first->second);
        for (auto& [slot, t] : slots) {
            if (!t->grad || !facets.count("grad")) continue;
            see(slot, "grad_is", named.count(t->grad.get()) ? Json(named[t->grad.get()]) : Json());
            if (gradients.count(slot) || t->grad->data().empty()) continue;
            Json own = "the gradient of " + std::to_string(slot);
            see(slot, "grad_memory", memory.emplace(t->grad->storage.get(), own).first->second);
        }
    }

    // The gradients of the roots that a step gives, or ones.
    Operands cotangents(const Json& step, const Operands& roots) {
        const Json given = step.value("gradients", Json::array());
        Operands result;
        for (size_t i = 0; i < roots.size(); ++i) {
            const Json gradient = given.empty() ? Json() : given[i];
            Tensor t;
            if (gradient.is_number()) t = step.value("handed", false) ? at(gradient) : clone(at(gradient));
            if (gradient.is_array()) t = tensor(gradient, step.contains("shape") ? Shape(step["shape"]) : roots[i]->shape);
            if (t && t->shape != roots[i]->shape) throw Refused("gradient-shape", "the gradient does not fit the root");
            if (!t && roots[i]->requires_grad() && roots[i]->data().size() != 1)
                throw Refused("non-scalar-root", "only a root of one element has an implicit gradient");
            result.push_back(t ? t : filled(roots[i]->shape, 1.0));
        }
        for (const auto& t : roots)
            if (!t->requires_grad()) throw Refused("root-without-grad", "a root does not require grad");
        return result;
    }
    static void require(const Operands& inputs) {
        for (const auto& t : inputs)
            if (!t->requires_grad()) throw Refused("unused-input", "an input does not require grad");
    }

    void leaf(const Json& s) {
        if (s.value("dtype", "float64") != "float64") throw Unsupported("leaves of " + std::string(s["dtype"]));
        Tensor t = slots[s["out"]] = tensor(s["values"], s["shape"]);
        t->flag = s.value("requires_grad", false);
    }
    void apply(const Json& s) { slots[s["outs"][0]] = called(s, all(s["inputs"])); }
    void mutate(const Json& s) {
        Operands operands = {at(s["target"])};
        for (const auto& t : all(s.value("inputs", Json::array()))) operands.push_back(t);
        called(s, operands);
    }
    Tensor called(const Json& s, const Operands& operands) {
        auto op = OPS.find(s["op"]);
        if (op == OPS.end()) throw Unsupported(s["op"]);
        return op->second(operands, s.value("params", Json::object()));
    }
    void detach(const Json& s) {
        Tensor source = at(s["source"]);
        slots[s["out"]] = std::make_shared<Impl>(Impl{source->storage, source->shape});
    }
    void requires_grad_(const Json& s) {
        Tensor t = at(s["target"]);
        const bool value = s.value("value", true);
        if (t->node && !value) throw Refused("flag", "only a leaf can stop requiring grad");
        if (!t->node) t->flag = value;
    }
    void enter(const Json& s) {
        if (s["mode"] != "no_grad" && s["mode"] != "enable_grad") throw Unsupported(s["mode"]);
        modes.push_back(recording);
        recording = s["mode"] == "enable_grad";
    }
    void exit(const Json&) {
        recording = modes.back();
        modes.pop_back();
    }
    void set_grad_enabled(const Json& s) { recording = s["value"]; }
    void retain_grad(const Json& s) {
        Tensor t = at(s["target"]);
        if (!t->requires_grad()) throw Refused("flag", "a tensor without grad has none to retain");
        t->retains = bool(t->node);
    }
    void backward(const Json& s) {
        Operands roots = all(s["roots"]), given = cotangents(s, roots), inputs = all(s.value("inputs", Json::array()));
        const bool create = s.value("create_graph", false);
        require(inputs);
        for (const auto& t : inputs) t->retains = t->retains || t->node;
        Mode mode(create);
        for (auto& [_, found] : walk(roots, given, s.value("retain_graph", create), s.contains("inputs") ? &inputs : nullptr))
            if (found.first) accumulate(found.first, found.second);
    }
    void grad(const Json& s) {
        Operands roots = all(s["roots"]), given = cotangents(s, roots), inputs = all(s["inputs"]);
        const bool create = s.value("create_graph", false);
        require(inputs);
        Mode mode(create);
        auto found = walk(roots, given, s.value("retain_graph", create), &inputs);
        for (const auto& t : inputs)
            if (!found.count(place_of(t)) && !s.value("allow_unused", false))
                throw Refused("unused-input", "a root does not depend on an input");
        for (size_t i = 0; i < inputs.size(); ++i) filled_by(s["outs"][i], found[place_of(inputs[i])].second);
    }
    void filled_by(int slot, Tensor gradient) {
        if (!gradient) return see(slot, "value", nullptr);
        gradients.insert(slot);
        slots[slot] = gradient;
    }
    void read_grad(const Json& s) { filled_by(s["out"], at(s["source"])->grad); }
    void zero_grad(const Json& s) {
        Tensor& grad = at(s["target"])->grad;
        if (!grad) return;
        if (s.value("set_to_none", true)) return void(grad = nullptr);
        Mode off(false);
        unary("fill", grad, 0.0, true);
        grad->node = nullptr;
    }
    void drop(const Json& s) {
        see(s["target"], "value", values(at(s["target"])));
        dropped[s["target"]] = at(s["target"]);
        slots.erase(int(s["target"]));
    }

public:
    explicit Run(const Json& wanted) : facets(wanted.begin(), wanted.end()) {}

    Json of(const Json& program) {
        Mode mode(true);
        Json refusal, unsupported;
        try {
            for (const auto& step : program["steps"]) {
                auto found = STEPS.find(step["step"]);
                if (found == STEPS.end()) throw Unsupported(step["step"]);
                (this->*found->second)(step);
                look();
                ++place;
            }
        } catch (const Unsupported& error) {
            unsupported = error.what();
        } catch (const Refused& error) {
            refusal = {{"step", place}, {"category", error.category}, {"message", error.what()}};
        } catch (const std::out_of_range& error) {
            refusal = {{"step", place}, {"category", "other"}, {"message", error.what()}};
        }
        if (!refusal.is_null() && facets.count("value"))
            for (auto& [slot, t] : slots) see(slot, "value", values(t));
        return {{"sights", sights}, {"refusal", refusal}, {"unsupported", unsupported}};
    }
};

const std::map<std::string, void (Run::*)(const Json&)> Run::STEPS = {
    {"leaf", &Run::leaf}, {"apply", &Run::apply}, {"mutate", &Run::mutate}, {"detach", &Run::detach},
    {"requires_grad_", &Run::requires_grad_}, {"enter", &Run::enter}, {"exit", &Run::exit},
    {"set_grad_enabled", &Run::set_grad_enabled}, {"retain_grad", &Run::retain_grad}, {"backward", &Run::backward},
    {"grad", &Run::grad}, {"read_grad", &Run::read_grad}, {"zero_grad", &Run::zero_grad}, {"drop", &Run::drop},
};

Json hello() {
    Json ops = Json::array();
    for (auto& [name, _] : OPS) ops.push_back(name);
    return {
        {"protocol", 1}, {"name", "tape"}, {"version", "1"}, {"language", "C++17"},
        {"capabilities",
         {{"ops", ops}, {"dtypes", {"float64"}}, {"schedules", {"thorough"}},
          {"steps", {"leaf", "apply", "mutate", "drop", "read_grad", "detach", "requires_grad_", "enter", "set_grad_enabled",
                     "retain_grad", "backward", "grad", "copy", "zero_grad"}},
          {"facets", {"value", "shape", "dtype", "requires_grad", "is_leaf", "grad_fn", "grad", "version", "memory", "alive",
                      "grad_of_all", "grad_absent"}},
          {"traits", {"accumulation", "leaf-gradients", "absent-gradients", "versions", "detached-aliases", "higher-order",
                      "liveness", "unsaved-graphs"}}}}};
}

int main() {
    std::ios::sync_with_stdio(false);
    for (std::string line; std::getline(std::cin, line);) {
        const Json command = Json::parse(line);
        auto answer = [&](Json fields) {
            fields["seq"] = command["seq"];
            std::cout << fields.dump() << std::endl;  // flushed: what a crash takes with it is run again
        };
        if (command["cmd"] == "hello") answer(hello());
        if (command["cmd"] == "stop") break;
        if (command["cmd"] != "run") continue;
        for (size_t index = 0; index < command["programs"].size(); ++index) {
            Json answered = Run(command["facets"]).of(command["programs"][index]);
            answered["index"] = index;
            answer(answered);
        }
    }
}
