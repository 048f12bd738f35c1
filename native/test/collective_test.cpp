// Ranks that meet, compute together and lose each other. They are threads here; test/addon has processes.
#include "core/collective.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>

#include <chrono>
#include <future>
#include <thread>

#include "core/features.h"
#include "core/rank_place.h"
#include "ranks.h"

namespace st::test {

namespace {

#if ST_HAVE_C10D

TEST(Collective, SumsGathersCopiesAndExchanges) {
  for (const int64_t size : {1, 2, 3}) {
    with_ranks(size, [&](const std::shared_ptr<Collective>& ranks) {
      const auto rank = static_cast<double>(ranks->rank());
      const at::Tensor numbers = at::arange(1000, at::kFloat) * (rank + 1);
      ranks->all_reduce(numbers.narrow(0, 10, 900));
      const auto times = static_cast<double>(size * (size + 1)) / 2;
      EXPECT_EQ(numbers[909].item<double>(), 909 * times);
      EXPECT_EQ(numbers[910].item<double>(), 910 * (rank + 1)) << "beside the range";

      // Several at once, which are waited for in any order.
      const at::Tensor more = at::full({70000}, rank + 1, at::kDouble);
      auto first = ranks->begin_all_reduce(more.narrow(0, 0, 10));
      auto second = ranks->begin_all_reduce(more.narrow(0, 10, 69990));
      second->wait();
      first->wait();
      EXPECT_TRUE(more.eq(times).all().item<bool>());

      const at::Tensor all = ranks->all_gather(at::full({2, 3}, ranks->rank(), at::kInt));
      ASSERT_EQ(all.sizes(), at::IntArrayRef({size, 2, 3}));
      for (int64_t other = 0; other < size; ++other) EXPECT_EQ(all[other].sum().item<int64_t>(), 6 * other);

      const at::Tensor copied = at::full({5}, rank, at::kDouble);
      ranks->broadcast(copied, size - 1);
      EXPECT_EQ(copied[4].item<double>(), static_cast<double>(size - 1));

      const std::vector<std::string> texts = ranks->exchange(ranks->rank() == 0 ? "" : std::string(70000, 'x') + "é");
      ASSERT_EQ(texts.size(), static_cast<size_t>(size));
      EXPECT_EQ(texts[0], "");
      if (size > 1) EXPECT_EQ(texts.back(), std::string(70000, 'x') + "é");

      const bool is_root = ranks->rank() == size - 1;
      EXPECT_EQ(ranks->share(is_root ? std::string(70000, 'y') + "ü" : "other", size - 1),
                std::string(70000, 'y') + "ü");
      EXPECT_EQ(ranks->share("", 0), "");
      ranks->barrier();
    });
  }
}

// What every rank says where `join` is the way in which each joins two ranks.
std::vector<std::string> failed_joins(int64_t count, const std::function<CollectiveSpec(int64_t, int64_t)>& join) {
  const int64_t port = free_port();
  return in_threads(count, [&](int64_t index) {
    CollectiveSpec spec = join(index, port);
    Collective::join(spec);
  });
}

void expect_all(const std::vector<std::string>& failures, const std::string& text) {
  for (const std::string& failure : failures) {
    EXPECT_EQ(failure.rfind("ERR_DISTRIBUTED: ", 0), 0U) << failure;
    EXPECT_NE(failure.find(text), std::string::npos) << failure;
  }
}

TEST(Collective, NamesWhoDoesNotCome) {
  expect_all(failed_joins(2,
                          [](int64_t index, int64_t port) {
                            CollectiveSpec spec = member(index, 3, port);
                            spec.join_seconds = 1;
                            return spec;
                          }),
             "for rank 2");
}

TEST(Collective, RefusesWrongNumbersOnEveryRank) {
  expect_all(failed_joins(2, [](int64_t index, int64_t port) { return member(index == 0 ? 0 : 2, 2, port); }),
             "RANK is 2 where WORLD_SIZE is 2");
  expect_all(failed_joins(3, [](int64_t index, int64_t port) { return member(index == 0 ? 0 : 1, 3, port); }),
             "two processes have RANK 1");
  expect_all(failed_joins(2, [](int64_t index, int64_t port) { return member(index, index == 0 ? 2 : 4, port); }), "");
}

TEST(Collective, SaysWhichPortIsTaken) {
  const int64_t port = free_port();
  CollectiveSpec alone = member(0, 1, port);
  const auto first = Collective::join(alone);
  expect_error("ERR_DISTRIBUTED", "cannot serve the store at 127.0.0.1:" + std::to_string(port),
               [&] { Collective::join(member(0, 1, port)); });
}

TEST(Collective, SaysThatNobodyServes) {
  CollectiveSpec spec = member(1, 2, free_port());
  spec.join_seconds = 1;
  expect_error("ERR_DISTRIBUTED", "cannot reach the store that rank 0 serves", [&] { Collective::join(spec); });
}

TEST(Collective, TellsWhyARankHasEnded) {
  const int64_t port = free_port();
  const auto failures = in_threads(3, [&](int64_t rank) {
    const auto ranks = Collective::join(member(rank, 3, port));
    if (rank == 1) return ranks->leave("a full disk\nand more");
    at::Tensor numbers = at::full({10}, 1.0);
    ranks->all_reduce(numbers);
  });
  for (const size_t rank : {0, 2}) {
    EXPECT_NE(failures[rank].find("rank 1 has ended: a full disk ("), std::string::npos) << failures[rank];
  }
}

TEST(Collective, NamesWhoEndedWhileSumsWereUnderWay) {
  const int64_t port = free_port();
  const auto failures = in_threads(2, [&](int64_t rank) {
    const auto ranks = Collective::join(member(rank, 2, port));
    if (rank == 1) return ranks->leave("no power");
    const at::Tensor numbers = at::full({100000}, 1.0);
    const auto first = ranks->begin_all_reduce(numbers.narrow(0, 0, 50000));
    const auto second = ranks->begin_all_reduce(numbers.narrow(0, 50000, 50000));
    first->wait();
  });
  EXPECT_NE(failures[0].find("rank 1 has ended: no power ("), std::string::npos) << failures[0];
}

TEST(Collective, NamesARankThatIsSilent) {
  const int64_t port = free_port();
  std::promise<void> over;
  std::shared_future<void> until = over.get_future().share();
  const auto failures = in_threads(2, [&](int64_t rank) {
    CollectiveSpec spec = member(rank, 2, port);
    spec.timeout_seconds = 0.5;
    const auto ranks = Collective::join(spec);
    if (rank == 1) return until.wait();
    at::Tensor numbers = at::full({10}, 1.0);
    try {
      ranks->all_reduce(numbers);
    } catch (...) {
      over.set_value();
      expect_error("ERR_DISTRIBUTED", "has lost the others", [&] { ranks->barrier(); });
      throw;
    }
  });
  EXPECT_NE(failures[0].find("rank 1 is lost"), std::string::npos) << failures[0];
}

// Ranks on CPUs need nothing more; those on GPUs need NCCL.
TEST(Collective, KnowsItsDevices) {
  with_ranks(2, [](const std::shared_ptr<Collective>& ranks) {
    EXPECT_EQ(Collective::on_device(ranks, at::kCPU), ranks);
    EXPECT_TRUE(ranks->takes(at::kCPU));
    EXPECT_FALSE(ranks->takes(at::Device(at::kCUDA, 0)));
    ranks->settle();
  });
#if !ST_WITH_CUDA
  const at::Device card(at::kCUDA, 1);
  with_ranks(1, [&](const std::shared_ptr<Collective>& ranks) {
    expect_error("ERR_NOT_IMPLEMENTED", "on cuda:1 needs NCCL, which this addon (for the CPU) was built without",
                 [&] { Collective::on_device(ranks, card); });
  });
  const int64_t port = free_port();
  expect_all(in_threads(2,
                        [&](int64_t rank) {
                          const auto ranks = Collective::join(member(rank, 2, port));
                          Collective::on_device(ranks, rank == 0 ? at::Device(at::kCPU) : card);
                        }),
             "Rank 1 trains on cuda:1 and rank 0 on cpu: all ranks train on CPUs, or all on GPUs");
#endif
}

TEST(Collective, EachRankHasACardOfItsOwn) {
  const auto place = [](int index, const std::string& host, const std::string& card) {
    return place_of(at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index)), host, "boot of " + host, card);
  };
  check_places({place_of(at::kCPU), place_of(at::kCPU)});
  check_places({place(0, "a", "0:3b:0"), place(1, "a", "0:5e:0"), place(0, "b", "0:3b:0")});
  // Each sees one card, which it calls the first.
  check_places({place(0, "a", "0:3b:0"), place(0, "a", "0:5e:0")});
  // Machines of one name.
  check_places({place_of(at::Device(at::kCUDA, 0), "localhost", "1", "0:3b:0"),
                place_of(at::Device(at::kCUDA, 0), "localhost", "2", "0:3b:0")});
  expect_error(
      "ERR_DISTRIBUTED",
      "Ranks 1 and 2 both train on the card 0:5e:0 of a (cuda:1 of the second one), but NCCL needs one for each",
      [&] { check_places({place(0, "a", "0:3b:0"), place(0, "a", "0:5e:0"), place(1, "a", "0:5e:0")}); });
  expect_error("ERR_DISTRIBUTED", "Rank 1 trains on cpu and rank 0 on cuda:0",
               [&] { check_places({place(0, "a", "0:3b:0"), place_of(at::kCPU)}); });
}

#else

TEST(Collective, IsNotBuiltWithoutC10d) {
  expect_error("ERR_NOT_IMPLEMENTED", "c10d", [] { Collective::join(member(0, 1, 1)); });
}

#endif

}  // namespace

}  // namespace st::test
