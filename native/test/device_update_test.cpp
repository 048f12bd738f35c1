// Updates by numbers that stay on the device, on the CPU: the kernels' arithmetic and LibTorch's fused AdamW against
// the reference, the optimisers and whole updaters against the way that reads every number.
#include "ops/device_update.h"

#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <limits>
#include <random>

#include "cuda/adamw.h"
#include "cuda/clip.h"
#include "engine/device_updater.h"
#include "engine/updater.h"
#include "optim/adamw.h"
#include "support.h"

namespace st::test {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();

at::Tensor number(double value, at::ScalarType type = at::kFloat) {
  return at::full({}, value, type);
}

// ------------------------------------------------------------------------------------------------------------ clipping

cuda::ClipState clip_state() {
  return {number(kNaN, at::kDouble), number(0, at::kDouble), number(0, at::kDouble), number(7), number(7), number(7)};
}

TEST(DeviceUpdate, ClipsAsTorchAndSkipsWhatIsNotFinite) {
  for (double max_norm : {0.0, 0.5, 100.0}) {
    const cuda::ClipState found = clip_state(), kernel = clip_state();
    double updates = 0, skips = 0;
    for (double squares : {4.0, 0.0, kNaN, 9e4, kInfinity, 0.16}) {
      SCOPED_TRACE("squares " + std::to_string(squares) + ", at most " + std::to_string(max_norm));
      const at::Tensor given = number(squares, at::kDouble);
      cuda::clip(given, max_norm, found);
      cuda::clip_all({given.data_ptr<double>(), max_norm, kernel.norm.data_ptr<double>(),
                      kernel.updates.data_ptr<double>(), kernel.skips.data_ptr<double>(),
                      kernel.divisor.data_ptr<float>(), kernel.skipped.data_ptr<float>(),
                      kernel.advanced.data_ptr<float>()});
      const double norm = std::sqrt(squares);
      const bool finite = std::isfinite(norm);
      (finite ? updates : skips) += 1;
      for (const cuda::ClipState& state : {found, kernel}) {
        EXPECT_TRUE(state.norm.item<double>() == norm || std::isnan(norm));
        EXPECT_EQ(std::isnan(state.norm.item<double>()), std::isnan(norm));
        EXPECT_EQ(state.updates.item<double>(), updates);
        EXPECT_EQ(state.skips.item<double>(), skips);
        EXPECT_EQ(state.skipped.item<float>(), finite ? 0 : 1);
        EXPECT_EQ(state.advanced.item<float>(), finite ? 1 : 0);
        if (!finite) continue;
        const double factor = max_norm > 0 ? std::min(1.0, max_norm / (norm + 1e-6)) : 1;
        EXPECT_NEAR(state.divisor.item<float>() * factor, 1, 1e-7);
        EXPECT_EQ(state.divisor.item<float>() == 1, factor == 1);
      }
    }
  }
}

// --------------------------------------------------------------------------------------------------------------- AdamW

const AdamWOptions kOptions{0.9, 0.999, 1e-8};
constexpr double kRate = 2e-3, kDecay = 0.01;
constexpr int64_t kCount = 300;

struct Buffers {
  at::Tensor value = random_tensor({kCount}, at::kFloat, 1), grad = random_tensor({kCount}, at::kFloat, 2),
             exp_avg = random_tensor({kCount}, at::kFloat, 3),
             exp_avg_sq = random_tensor({kCount}, at::kFloat, 4).abs(), copy = at::zeros({kCount}, at::kBFloat16);

  void expect_like(const Buffers& expected, const std::string& what) const {
    expect_close(value, expected.value, 1e-6, what + ", value");
    expect_close(exp_avg, expected.exp_avg, 1e-6, what + ", exp_avg");
    expect_close(exp_avg_sq, expected.exp_avg_sq, 1e-6, what + ", exp_avg_sq");
    EXPECT_EQ(grad.abs().max().item<float>(), 0) << what;
  }
};

// The kernel's arithmetic, thread by thread, and what the host calls.
void by_kernel(const at::Tensor& rate, const cuda::UpdateScalars& scalars, const Buffers& b) {
  const auto raw = [](const at::Tensor& x) { return x.defined() ? x.data_ptr<float>() : nullptr; };
  const cuda::AdamWStep step{static_cast<float>(kDecay),
                             static_cast<float>(kOptions.beta2),
                             static_cast<float>(kOptions.epsilon),
                             static_cast<float>(1 - kOptions.beta1),
                             static_cast<float>(1 - kOptions.beta2),
                             static_cast<float>(std::log(kOptions.beta1)),
                             static_cast<float>(std::log(kOptions.beta2)),
                             raw(rate),
                             raw(scalars.step),
                             raw(scalars.divisor),
                             raw(scalars.skipped)};
  const cuda::AdamWBuffers buffers{kCount,         raw(b.value),      raw(b.grad),
                                   raw(b.exp_avg), raw(b.exp_avg_sq), static_cast<cuda::Bf16*>(b.copy.data_ptr())};
  const cuda::AdamWNow now = cuda::adamw_now(step);
  for (int64_t i = 0; i < kCount; ++i) cuda::adamw_element(step, now, buffers, i);
}

void by_library(const at::Tensor& rate, const cuda::UpdateScalars& scalars, const Buffers& b) {
  cuda::adamw({kDecay, kOptions.beta1, kOptions.beta2, kOptions.epsilon}, rate, scalars,
              {b.value, b.grad, b.exp_avg, b.exp_avg_sq, b.copy});
}

TEST(DeviceUpdate, AdamWIsTheReference) {
  for (const auto& [name, adamw] : {std::pair{"kernel", &by_kernel}, std::pair{"library", &by_library}}) {
    for (double divisor : {0.0, 1.0, 4.0}) {
      for (int64_t step : {1, 3, 1000, 200000}) {
        SCOPED_TRACE(std::string(name) + ", divisor " + std::to_string(divisor) + ", step " + std::to_string(step));
        Buffers found, expected;
        reference::adamw(kOptions, step, kRate, kDecay, divisor > 0 ? 1 / divisor : 1, expected.value, expected.grad,
                         expected.exp_avg, expected.exp_avg_sq);
        adamw(number(kRate), {number(step), divisor > 0 ? number(divisor) : at::Tensor(), number(0)}, found);
        found.expect_like(expected, "update");
        EXPECT_TRUE(same_bits(found.copy, found.value.to(at::kBFloat16)));
      }
    }
    // A gradient that is not finite changes nothing and is gone, be it the first.
    for (int64_t step : {0, 3}) {
      SCOPED_TRACE(std::string(name) + ", skipped after " + std::to_string(step));
      Buffers found, before;
      found.copy.copy_(found.value);
      found.grad[7].fill_(kNaN);
      adamw(number(kRate), {number(step), number(kNaN), number(1)}, found);
      EXPECT_TRUE(same_bits(found.value, before.value));
      EXPECT_TRUE(same_bits(found.exp_avg, before.exp_avg));
      EXPECT_TRUE(same_bits(found.exp_avg_sq, before.exp_avg_sq));
      EXPECT_TRUE(same_bits(found.copy, before.value.to(at::kBFloat16)));
      EXPECT_EQ(found.grad.abs().max().item<float>(), 0);
    }
  }
}

// ------------------------------------------------------------------------------------------------------------ updaters

// An encoder, its twin and a loss, with gradients that the test makes up.
struct World {
  std::vector<std::unique_ptr<Parameters>> parameters;
  TrainedSets sets;
  std::unique_ptr<Updater> updater;

  World(bool queued, at::ScalarType type, const char* optimizer, double max_norm, bool compat) {
    for (int i = 0; i < 3; ++i) {
      parameters.push_back(std::make_unique<Parameters>());
      Parameters& own = *parameters.back();
      const ParamId table = own.layout.add("table", {40, 13}, Group::kDecay);
      own.layout.add("weight", {700, 3}, Group::kDecay);
      own.layout.add("chosen", {9}, Group::kDecay);
      own.layout.add("bias", {33}, Group::kNoDecay);
      own.layout.add("fixed", {7}, Group::kNoDecay);
      own.layout.add("frozen", {5}, Group::kFrozen);
      if (i < 2) own.token_table = table;
      own.allocate(at::kCPU, type);
      for (const TensorInfo& tensor : own.layout.tensors()) {
        at::Tensor value = own.layout.named_view(own.flat(), tensor);
        value.copy_(random_tensor(value.sizes(), value.scalar_type(), i + tensor.name.size(), 0.05));
      }
      own.refresh();
      const std::string prefix = i == 0 ? "" : i == 1 ? "twin." : "loss.";
      sets.all.push_back(
          std::make_unique<Trained>(own, prefix, Config(Config::Object{{"type", text(optimizer)}}), queued));
      sets.all.back()->set_groups({{prefix + "chosen", 2}, {prefix + "fixed", -1}});
    }
    sets.weight_decays = {0.01, 0, 0.1};
    sets.max_grad_norm = max_norm;
    sets.compat_loss_gradients = compat;
    if (queued) {
      updater = std::make_unique<DeviceUpdater>(at::kCPU, 3);
    } else {
      updater = make_host_updater();
    }
  }

  at::Tensor flat(size_t set, const std::string& kind) {
    at::Tensor out;
    std::string name;
    EXPECT_TRUE(sets.all[set]->find(kind + sets.all[set]->prefix() + "bias", out, name)) << kind;
    return out;
  }

  // As a batch: named tensors alone have gradients, of the table the rows that it read.
  void add_gradient(size_t set, uint64_t seed, double scale, double spoilt) {
    Trained& to = *sets.all[set];
    for (const TensorInfo& tensor : parameters[set]->layout.tensors(true)) {
      at::Tensor view = parameters[set]->layout.named_view(to.gradients().flat(), tensor);
      at::Tensor g = random_tensor(view.sizes(), view.scalar_type(), seed + tensor.name.size(), scale);
      if (tensor.name == "table") {
        const auto row = static_cast<int32_t>(seed % 40);
        if (set < 2) parameters[set]->settle({row});
        to.gradients().touch({row});
        view[row].add_(g[row]);
        continue;
      }
      if (tensor.name == "weight" && spoilt != 0) g[1][1].fill_(spoilt);
      view.add_(g);
    }
    to.used = true;
  }
};

struct Case {
  at::ScalarType type;
  const char* optimizer;
  double max_norm;
  bool compat;
};

void compare(const Case& c) {
  SCOPED_TRACE(std::string(c10::toString(c.type)) + " " + c.optimizer + ", at most " + std::to_string(c.max_norm) +
               (c.compat ? ", losses outside" : ""));
  World host(false, c.type, c.optimizer, c.max_norm, c.compat), device(true, c.type, c.optimizer, c.max_norm, c.compat);
  std::vector<std::string> kinds = {"", "grad."};
  for (const std::string& name : optimizer_state_names(Config(Config::Object{{"type", text(c.optimizer)}}))) {
    kinds.push_back(name + ".");
  }
  const at::Tensor embeddings_BD = random_tensor({6, 4}, at::kFloat, 5);
  for (int step = 0; step < 12; ++step) {
    SCOPED_TRACE("step " + std::to_string(step));
    // Some not finite in the encoder, one in a loss, where that counts; the twin and the loss take part now and then.
    const double spoilt = step == 3 || (step == 9 && !c.compat) ? kNaN : step == 4 ? kInfinity : 0;
    const size_t where = step == 9 ? 2 : 0;
    const std::vector<double> rates = step % 2 == 0 ? std::vector<double>{1e-2} : std::vector<double>{1e-2, 2e-2, 3e-3};
    std::vector<at::Tensor> before;
    std::vector<int64_t> counted;
    for (size_t set = 0; set < 3; ++set) {
      for (const std::string& kind : kinds) before.push_back(device.flat(set, kind).clone());
      counted.push_back(device.sets.all[set]->updates());
    }
    for (World* world : {&host, &device}) {
      const int batches = 1 + step % 3;  // accumulated
      for (int batch = 0; batch < batches; ++batch) {
        const uint64_t seed = 100 * step + 10 * batch;
        world->add_gradient(0, seed, 0.1, where == 0 && batch == 0 ? spoilt : 0);
        if (step % 3 != 1) world->add_gradient(1, seed + 1, 0.2, 0);
        if (step % 3 != 2) world->add_gradient(2, seed + 2, 0.05, where == 2 ? spoilt : 0);
        const double loss = batch == 1 ? kNaN : 1.5 + step;
        world->updater->add({number(loss), {{"part", number(loss / 3)}, {"other", number(2, at::kDouble)}}});
      }
      world->updater->update(world->sets, rates);
    }
    const bool skipped = spoilt != 0;
    for (size_t set = 0; set < 3; ++set) {
      EXPECT_EQ(device.sets.all[set]->updates(), host.sets.all[set]->updates()) << "set " << set;
      EXPECT_FALSE(device.sets.all[set]->used);
      EXPECT_TRUE(!skipped || device.sets.all[set]->updates() == counted[set]) << "set " << set;
      for (size_t k = 0; k < kinds.size(); ++k) {
        const std::string what = kinds[k] + " of set " + std::to_string(set);
        const at::Tensor found = device.flat(set, kinds[k]);
        expect_close(found, host.flat(set, kinds[k]), 1e-6, what);
        if (!skipped) continue;
        if (kinds[k] == "grad.") {
          EXPECT_EQ(found.abs().max().item<double>(), 0) << what;
        } else {
          EXPECT_TRUE(same_bits(found, before[set * kinds.size() + k])) << what;
        }
      }
      const at::Tensor copy = device.parameters[set]->flat_copy();
      if (copy.defined()) {
        EXPECT_TRUE(same_bits(copy, device.parameters[set]->flat().to(copy.scalar_type()))) << "set " << set;
      }
    }
    if (step % 4 != 3) continue;
    StepReport a, b;
    host.updater->report(a, embeddings_BD);
    device.updater->report(b, embeddings_BD);
    EXPECT_NEAR(b.loss, a.loss, 1e-12);
    EXPECT_EQ(b.updates, a.updates);
    EXPECT_EQ(b.skipped, a.skipped);
    EXPECT_EQ(a.skipped, step == 3 ? 1 : step == 7 ? 1 : c.compat ? 0 : 1);
    EXPECT_EQ(b.mean_cosine, a.mean_cosine);
    EXPECT_TRUE(std::isfinite(a.grad_norm) ? std::abs(b.grad_norm / a.grad_norm - 1) < 1e-6
                                           : !std::isfinite(b.grad_norm));
    ASSERT_EQ(b.components.size(), 2U);
    EXPECT_EQ(a.components.size(), 2U);
    EXPECT_EQ(b.components["other"], 2);
    EXPECT_TRUE(std::isnan(a.components["part"]) && std::isnan(b.components["part"]));
  }
  // What was reported is forgotten.
  StepReport empty;
  device.updater->report(empty, embeddings_BD.narrow(0, 0, 1));
  EXPECT_TRUE(std::isnan(empty.loss) && std::isnan(empty.mean_cosine));
  EXPECT_EQ(empty.updates + empty.skipped, 0);
  EXPECT_TRUE(empty.components.empty());
}

TEST(DeviceUpdate, UpdatesAsTheHostDoes) {
  for (at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16}) {
    for (double max_norm : {0.0, 0.3, 1e3}) {
      for (bool compat : {false, true}) compare({type, "adamw", max_norm, compat});
    }
  }
  for (const char* optimizer : {"sgd", "rmsprop"}) {
    for (double max_norm : {0.0, 0.3}) {
      compare({at::kFloat, optimizer, max_norm, false});
      compare({at::kBFloat16, optimizer, max_norm, true});
    }
  }
}

TEST(DeviceUpdate, CountersAreThoseThatWereSet) {
  World world(true, at::kFloat, "adamw", 1, false);
  world.sets.all[0]->set_updates(41);
  world.add_gradient(0, 1, 0.1, 0);
  world.updater->update(world.sets, {1e-2});
  EXPECT_EQ(world.sets.all[0]->updates(), 42);
  EXPECT_EQ(world.sets.all[1]->updates(), 0);
}

}  // namespace

}  // namespace st::test
