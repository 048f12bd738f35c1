// Updates of the token table that are put off: the same bits as updates of all rows at once.
#include "optim/lazy_rows.h"

#include <ATen/ops/zeros.h>

#include <cmath>
#include <random>

#include "engine/trained.h"
#include "optim/squared_norm.h"
#include "support.h"

namespace st::test {

namespace {

constexpr int64_t kRows = 40;

// Parameters with a token table, which one of two equal ones is not told of.
struct World {
  Parameters parameters;
  std::unique_ptr<Trained> trained;

  World(at::ScalarType type, int64_t width, const char* optimizer, bool lazy,
        const std::map<std::string, int>& groups) {
    parameters.layout.add("before", {5}, Group::kDecay);
    const ParamId table = parameters.layout.add("table", {kRows, width}, Group::kDecay);
    parameters.layout.add("after", {70, 3}, Group::kDecay);
    parameters.layout.add("bias", {33}, Group::kNoDecay);
    parameters.layout.add("frozen", {7}, Group::kFrozen);
    if (lazy) parameters.token_table = table;
    parameters.allocate(at::kCPU, type);
    // What lies between tensors is 0, and not part of the comparison.
    for (const TensorInfo& tensor : parameters.layout.tensors()) {
      at::Tensor value = parameters.layout.named_view(parameters.flat(), tensor);
      value.copy_(random_tensor(value.sizes(), value.scalar_type(), tensor.name.size(), 0.05));
    }
    parameters.refresh();
    train(optimizer, groups);
  }

  void train(const char* optimizer, const std::map<std::string, int>& groups) {
    trained.reset();
    trained = std::make_unique<Trained>(parameters, "", Config(Config::Object{{"type", text(optimizer)}}));
    trained->set_groups(groups);
  }

  at::Tensor flat(const std::string& kind) {
    at::Tensor out;
    std::string name;
    EXPECT_TRUE(trained->find(kind + "bias", out, name));
    return out;
  }

  std::vector<at::Tensor> everything(bool adamw) {
    std::vector<at::Tensor> out = {flat(""), flat("grad.")};
    if (adamw) out.insert(out.end(), {flat("exp_avg."), flat("exp_avg_sq.")});
    if (parameters.flat_copy().defined()) out.push_back(parameters.flat_copy());
    return out;
  }

  // Another optimiser over the same values, with the moments of this one.
  void resume(const char* optimizer, const std::map<std::string, int>& groups) {
    const at::Tensor m = flat("exp_avg.").clone(), v = flat("exp_avg_sq.").clone(), g = flat("grad.").clone();
    const int64_t updates = trained->updates();
    train(optimizer, groups);
    flat("exp_avg.").copy_(m);
    flat("exp_avg_sq.").copy_(v);
    flat("grad.").copy_(g);
    trained->loaded(true);
    trained->set_updates(updates);
  }
};

struct Case {
  at::ScalarType type;
  int64_t width;
  const char* optimizer;
  double weight_decay;
  int group;  // of the table
  int steps;
};

void compare(const Case& c) {
  SCOPED_TRACE(std::string(c10::toString(c.type)) + " " + c.optimizer + " decay " + std::to_string(c.weight_decay) +
               " group " + std::to_string(c.group));
  const std::map<std::string, int> groups = {{"table", c.group}};
  World lazy(c.type, c.width, c.optimizer, true, groups), dense(c.type, c.width, c.optimizer, false, groups);
  const bool adamw = std::string(c.optimizer) == "adamw";
  std::mt19937 random(7);
  const auto chance = [&](double p) { return std::uniform_real_distribution<>(0, 1)(random) < p; };
  const auto expect_equal = [&](int step) {
    const std::vector<at::Tensor> a = lazy.everything(adamw), b = dense.everything(adamw);
    for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(same_bits(a[i], b[i])) << "buffer " << i << " at step " << step;
  };
  for (int step = 0; step < c.steps && !::testing::Test::HasFailure(); ++step) {
    for (bool more = true; more; more = chance(0.2)) {
      // Some rows often, others rarely or never.
      std::vector<int32_t> rows;
      for (int i = 0; i < 4; ++i) {
        const double u = std::uniform_real_distribution<>(0, 1)(random);
        rows.push_back(static_cast<int32_t>(std::pow(u, 8) * (kRows - 3)));
      }
      lazy.parameters.settle(rows);
      const at::Tensor g = random_tensor({lazy.parameters.layout.trained_end()}, lazy.parameters.flat().scalar_type(),
                                         100 + step, std::pow(10, -(step % 9)));
      const bool tied = chance(0.01);
      const Layout::Span span = lazy.parameters.layout.span("table");
      at::Tensor mask = at::zeros({g.numel()}, g.options());
      for (const TensorInfo& tensor : lazy.parameters.layout.tensors(true)) {
        lazy.parameters.layout.named_view(mask, tensor).fill_(tensor.name == "table" && !tied ? 0 : 1);
      }
      for (int32_t row : rows) {
        mask.narrow(0, span.offset + row * c.width, c.width).fill_(1);
        EXPECT_TRUE(same_bits(lazy.parameters.master(1)[row], dense.parameters.master(1)[row])) << "row " << row;
      }
      for (World* world : {&lazy, &dense}) {
        world->trained->gradients().flat().add_(g * mask);
        world->trained->gradients().touch(rows);
        if (tied) world->trained->gradients().touch_all();
      }
    }
    const double squares = dense.trained->squared_norm();
    EXPECT_NEAR(lazy.trained->squared_norm() / squares, 1, 1e-6);
    if (chance(0.03)) {
      for (World* world : {&lazy, &dense}) world->trained->drop_gradients();
      continue;
    }
    const double rate = chance(0.05) ? 0 : 1e-3 * (1 + step % 7);
    for (World* world : {&lazy, &dense}) {
      world->trained->update({rate, 2 * rate, 3 * rate}, {c.weight_decay, 0, c.weight_decay / 2},
                             std::min(1.0, 0.3 / std::sqrt(squares)), false);
    }
    if (adamw && chance(0.01)) {
      for (World* world : {&lazy, &dense}) world->resume(c.optimizer, groups);
    }
    if (chance(0.02)) expect_equal(step);
  }
  expect_equal(c.steps);
}

TEST(LazyRows, AreUpdatesOfAllRows) {
  for (at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16}) {
    for (double weight_decay : {0.0, 0.01}) compare({type, 100, "adamw", weight_decay, 0, 300});
  }
  compare({at::kFloat, 13, "adamw", 0.02, 2, 300});
}

TEST(LazyRows, WithoutAFlushForLong) {
  // Long enough for moments to reach 0 and for the list of updates to be cut.
  for (double weight_decay : {0.0, 0.01}) {
    World lazy(at::kFloat, 64, "adamw", true, {}), dense(at::kFloat, 64, "adamw", false, {});
    for (int step = 0; step < 2600; ++step) {
      const std::vector<int32_t> rows = {step % 900 == 0 ? 3 : 1};
      for (World* world : {&lazy, &dense}) {
        world->parameters.settle(rows);
        at::Tensor(world->trained->gradients()[1])[rows[0]].add_(random_tensor({64}, at::kFloat, step, 0.1));
        world->trained->gradients().touch(rows);
        world->trained->update({1e-3, 1e-3}, {weight_decay, 0}, 1, false);
      }
    }
    const std::vector<at::Tensor> a = lazy.everything(true), b = dense.everything(true);
    for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(same_bits(a[i], b[i])) << "buffer " << i;
    // Numbers that are not normal are 0.
    EXPECT_EQ(lazy.flat("exp_avg.").slice(0, 16 + 2 * 64, 16 + 3 * 64).abs().max().item<double>(), 0);
  }
}

TEST(LazyRows, FrozenTablesAndOtherOptimisers) {
  compare({at::kFloat, 24, "adamw", 0.01, -1, 60});
  compare({at::kFloat, 24, "sgd", 0.01, 0, 60});
  compare({at::kBFloat16, 24, "rmsprop", 0.0, 0, 60});
}

TEST(SquaredNorm, OfRanges) {
  for (at::ScalarType type : {at::kFloat, at::kDouble}) {
    const at::Tensor flat = random_tensor({300007}, type, 3);
    const double expected =
        (reference::squared_norm(flat.slice(0, 5, 70)) + reference::squared_norm(flat.slice(0, 100, 300007)))
            .item<double>();
    EXPECT_NEAR(squared_norm(flat, {{5, 70}, {100, 300007}}) / expected, 1, 1e-6);
    EXPECT_EQ(squared_norm(flat, {{9, 9}}), 0);
    flat[200].fill_(INFINITY);
    EXPECT_FALSE(std::isfinite(squared_norm(flat, {{100, 300007}})));
  }
}

}  // namespace

}  // namespace st::test
