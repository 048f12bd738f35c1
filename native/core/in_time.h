#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

namespace st {

// What a function returns or throws, if it comes in time. Else it goes on in a thread of its own, with copies of its
// own, and nobody hears of it.
template <typename Work>
auto in_time(Work work, std::chrono::milliseconds limit) -> std::optional<decltype(work())> {
  auto task = std::make_shared<std::packaged_task<decltype(work())()>>(std::move(work));
  auto result = task->get_future();
  std::thread([task] { (*task)(); }).detach();
  if (result.wait_for(limit) != std::future_status::ready) return std::nullopt;
  return result.get();
}

}  // namespace st
