#include "ranks.h"

#include <ATen/Parallel.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <random>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>

namespace st::test {

// Below the ports that systems give to connections by themselves: one of these may be taken again before it is used.
int64_t free_port() {
  std::random_device random;
  std::uniform_int_distribution<int> ports(10000, 32767);
  for (int i = 0; i < 100; ++i) {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(ports(random)));
    const bool is_free = bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
    close(listener);
    if (is_free) return ntohs(address.sin_port);
  }
  ADD_FAILURE() << "no port is free";
  return 0;
}

CollectiveSpec member(int64_t rank, int64_t size, int64_t port) {
  CollectiveSpec spec;
  spec.rank = rank;
  spec.size = size;
  spec.host = "127.0.0.1";
  spec.port = port;
  spec.prefix = "test";
  spec.timeout_seconds = 20;
  spec.roll_call_seconds = 1;
  return spec;
}

PackedBatch part_of(const PackedBatch& whole, int64_t rank, int64_t size) {
  PackedBatch out;
  out.columns = whole.columns;
  out.offsets = {0};
  const int64_t column = whole.rows() / whole.columns, own = column / size;
  for (int64_t c = 0; c < whole.columns; ++c) {
    for (int64_t row = c * column + rank * own; row < c * column + (rank + 1) * own; ++row) {
      const auto begin = whole.offsets[row], end = whole.offsets[row + 1];
      out.ids.insert(out.ids.end(), whole.ids.begin() + begin, whole.ids.begin() + end);
      out.token_types.insert(out.token_types.end(), whole.token_types.begin() + begin, whole.token_types.begin() + end);
      out.offsets.push_back(out.offsets.back() + end - begin);
      if (!whole.queries.empty()) out.queries.push_back(whole.queries[row]);
    }
  }
  const auto cut = [&](const auto& labels) {
    return std::decay_t<decltype(labels)>(labels.begin() + rank * own, labels.begin() + (rank + 1) * own);
  };
  if (auto* floats = std::get_if<std::vector<float>>(&whole.labels)) out.labels = cut(*floats);
  if (auto* integers = std::get_if<std::vector<int32_t>>(&whole.labels)) out.labels = cut(*integers);
  return out;
}

std::vector<std::string> in_threads(int64_t size, const std::function<void(int64_t rank)>& work) {
  std::vector<std::string> failures(static_cast<size_t>(size));
  std::vector<std::thread> threads;
  for (int64_t rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      at::set_num_threads(1);
      try {
        work(rank);
      } catch (const Error& error) {
        failures[static_cast<size_t>(rank)] = error.code() + ": " + error.what();
      } catch (const std::exception& error) {
        failures[static_cast<size_t>(rank)] = error.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return failures;
}

void with_ranks(int64_t size, const std::function<void(const std::shared_ptr<Collective>&)>& work) {
  const int64_t port = free_port();
  const auto failures = in_threads(size, [&](int64_t rank) {
    const auto ranks = Collective::join(member(rank, size, port));
    // Who ends at once would end while others still connect.
    ranks->barrier();
    work(ranks);
  });
  for (const std::string& failure : failures) EXPECT_EQ(failure, "");
}

}  // namespace st::test
