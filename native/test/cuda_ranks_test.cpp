// Ranks that are threads with a GPU each: NCCL's sums, and a training, against the CPU. Skipped where there are fewer
// than two; bench/gpu.sh runs it.
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <future>

#include "core/cuda_device.h"
#include "core/features.h"
#include "ranks.h"
#include "training.h"
#if ST_HAVE_NCCL
#include <c10/cuda/CUDAGuard.h>
#endif

namespace st::test {

namespace {

class CudaRanks : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!ST_HAVE_NCCL) GTEST_SKIP() << "built without NCCL";
    if (cuda_device_count() < 2) GTEST_SKIP() << "needs 2 CUDA devices, here " << cuda_device_count();
  }
};

#if ST_HAVE_NCCL

at::Device card_of(int64_t rank) {
  return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(rank));
}

void with_cards(const std::function<void(const std::shared_ptr<Collective>&, at::Device)>& work) {
  with_ranks(2, [&](const std::shared_ptr<Collective>& host) {
    const at::Device card = card_of(host->rank());
    const c10::cuda::CUDAGuard guard(card);
    const auto ranks = Collective::on_device(host, card);
    work(ranks, card);
    ranks->leave("");
  });
}

TEST_F(CudaRanks, SumsGathersAndCopies) {
  with_cards([](const std::shared_ptr<Collective>& ranks, at::Device card) {
    const auto rank = static_cast<double>(ranks->rank());
    EXPECT_TRUE(ranks->takes(card));
    for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
      const at::Tensor numbers = at::arange(100000, at::TensorOptions().dtype(type).device(card)) * (rank + 1);
      auto first = ranks->begin_all_reduce(numbers.narrow(0, 3, 10));
      auto second = ranks->begin_all_reduce(numbers.narrow(0, 13, 70000));
      // A sum begins once the device has made its numbers, and the device goes on once the sum is there.
      second->wait();
      first->wait();
      const at::Tensor doubled = numbers * 2;
      EXPECT_EQ(doubled[70012].item<double>(), 2 * 3 * 70012.0);
      EXPECT_EQ(doubled[70013].item<double>(), 2 * (rank + 1) * 70013.0) << "beside the range";
    }
    const at::Tensor all = ranks->all_gather(at::full({2, 3}, rank, at::TensorOptions().device(card)));
    ASSERT_EQ(all.sizes(), at::IntArrayRef({2, 2, 3}));
    for (int64_t other = 0; other < 2; ++other) EXPECT_EQ(all[other].sum().item<double>(), 6.0 * other);
    const at::Tensor copied = at::full({5}, rank, at::TensorOptions().device(card));
    ranks->broadcast(copied, 1);
    EXPECT_EQ(copied[4].item<double>(), 1);
    // What is on the CPU goes as before.
    EXPECT_EQ(ranks->exchange(std::to_string(ranks->rank())), (std::vector<std::string>{"0", "1"}));
    at::Tensor here = at::full({7}, rank);
    ranks->all_reduce(here);
    EXPECT_EQ(here[6].item<double>(), 1);
    ranks->settle();
  });
}

TEST_F(CudaRanks, RefuseOneCardForTwo) {
  const int64_t port = free_port();
  const auto failures =
      in_threads(2, [&](int64_t rank) { Collective::on_device(Collective::join(member(rank, 2, port)), card_of(0)); });
  for (const std::string& failure : failures) {
    EXPECT_NE(failure.find("Ranks 0 and 1 both train on the card"), std::string::npos) << failure;
  }
}

struct Outcome {
  std::vector<double> losses;
  Weights weights;
};

// Two ranks with a half of every batch each against one on the CPU with all of it; in float16 with a loss scaler.
TEST_F(CudaRanks, TrainAsOneOnTheCpu) {
  const PackedBatch whole = batch_of({5, 1, 12, 3, 4, 2, 20, 1}, 11, 2, 2);
  const auto train = [&](const std::string& device, const PackedBatch& batch, const std::shared_ptr<Collective>& ranks,
                         const std::string& precision) {
    // Heads of 32, which LibTorch's kernels take, and a table of which a batch reads few rows.
    Config::Object changes = no_dropout();
    changes["hidden_size"] = 64.0;
    changes["num_attention_heads"] = 2.0;
    changes["vocab_size"] = 100.0;
    EncoderSpec model = tiny_bert({pooling({"mean"})}, "float32", changes);
    model.device = device;
    const auto encoder = std::make_shared<Encoder>(model);
    Weights weights = random_weights(*encoder, 1);
    for (auto& [name, values] : weights) {
      if (name.find("LayerNorm") != std::string::npos) continue;
      for (float& value : values) value *= 0.2F;
    }
    load_weights(*encoder, weights);
    TrainerSpec spec = spec_of(loss_of("MultipleNegativesRankingLoss"));
    spec.losses[0].gathers = ranks != nullptr;
    spec.ranks = ranks;
    spec.precision = precision;
    spec.loss_scaler = precision == "float16";
    Trainer trainer(encoder, spec);
    Outcome out;
    for (int i = 0; i < 10; ++i) out.losses.push_back(trainer.step(batch, kUpdate)->loss);
    out.weights = dump_weights(*encoder);
    return out;
  };
  const Outcome expected = train("cpu", whole, nullptr, "float32");
  for (const std::string precision : {"float32", "bfloat16", "float16"}) {
    SCOPED_TRACE(precision);
    std::vector<Outcome> found(2);
    with_cards([&](const std::shared_ptr<Collective>& ranks, at::Device card) {
      const auto rank = static_cast<size_t>(ranks->rank());
      found[rank] = train(card.str(), part_of(whole, ranks->rank(), 2), ranks, precision);
    });
    EXPECT_EQ(found[0].weights, found[1].weights) << "the same bits on both";
    for (size_t i = 0; i < expected.losses.size(); ++i) {
      EXPECT_EQ(found[0].losses[i], found[1].losses[i]);
      EXPECT_NEAR(found[0].losses[i], expected.losses[i], precision == "float32" ? 1e-3 : 5e-2) << "step " << i;
    }
  }
}

// A rank that leaves while the device of another waits for it.
TEST_F(CudaRanks, NameWhoEnded) {
  const int64_t port = free_port();
  const auto failures = in_threads(2, [&](int64_t rank) {
    const c10::cuda::CUDAGuard guard(card_of(rank));
    const auto ranks = Collective::on_device(Collective::join(member(rank, 2, port)), card_of(rank));
    if (rank == 1) return ranks->leave("no power");
    const at::Tensor numbers = at::full({100000}, 1.0, at::TensorOptions().device(card_of(rank)));
    ranks->all_reduce(numbers);
    ranks->settle();
  });
  EXPECT_NE(failures[0].find("rank 1 has ended: no power ("), std::string::npos) << failures[0];
}

// A rank that is silent: the device is given up after the timeout, and whoever waits for it goes on.
TEST_F(CudaRanks, NameWhoIsSilent) {
  const int64_t port = free_port();
  std::promise<void> over;
  std::shared_future<void> until = over.get_future().share();
  const auto failures = in_threads(2, [&](int64_t rank) {
    CollectiveSpec spec = member(rank, 2, port);
    spec.timeout_seconds = 2;
    const c10::cuda::CUDAGuard guard(card_of(rank));
    const auto ranks = Collective::on_device(Collective::join(spec), card_of(rank));
    if (rank == 1) return until.wait();
    const at::Tensor numbers = at::full({100000}, 1.0, at::TensorOptions().device(card_of(rank)));
    ranks->all_reduce(numbers);
    // The host waits for its device, which waits for the other.
    numbers.sum().item<double>();
    try {
      ranks->settle();
    } catch (...) {
      over.set_value();
      throw;
    }
  });
  EXPECT_NE(failures[0].find("rank 1 is lost"), std::string::npos) << failures[0];
}

#else

TEST_F(CudaRanks, SumsGathersAndCopies) {}

#endif

}  // namespace

}  // namespace st::test
