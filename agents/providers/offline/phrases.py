"""What the offline model says, in English and Chinese. Plain sentences; the facts in them come from tool results."""

from collections.abc import Sequence

from agents.lexical import concept_of
from agents.lexical_router import split_name
from agents.lexicon import NAME_VERBS
from agents.providers.offline.tools import Parameter, Tool

OFFER_PERSON = {"en": "Would you like me to pass you to a person?", "zh": "需要我为您转接人工客服吗？"}

_SAYINGS = {
    "hello": {"en": "Hello! How can I help you today?", "zh": "您好！请问有什么可以帮您？"},
    "welcome": {
        "en": "You're welcome! Let me know if there is anything else.",
        "zh": "不客气！如果还有其他问题，随时告诉我。",
    },
    "goodbye": {"en": "Thank you for getting in touch. Goodbye!", "zh": "感谢您的联系，再见！"},
    "handed_off": {
        "en": "I have passed your conversation on to a colleague. A person will continue with you here.",
        "zh": "我已将对话转给同事，稍后会有人工客服在这里继续为您服务。",
    },
    "who": {
        "en": "I'm the offline demo model of this support desk: fixed rules, no network and no language model behind me.",
        "zh": "我是这个客服系统的离线演示模型：只按固定规则工作，不联网，背后没有大语言模型。",
    },
    "nothing_found": {"en": "I found nothing on that.", "zh": "没有找到相关内容。"},
    "done": {"en": "Done.", "zh": "已完成。"},
    "waiting": {"en": "I am still waiting for the result.", "zh": "我还在等待结果。"},
    "found": {"en": "Here is what I found:", "zh": "查询结果如下："},
    "unclear": {
        "en": "I could not work out what you would like me to do.",
        "zh": "我没有弄清楚您希望我做什么。",
    },
}

# Words of parameter and result names. Names that are not here are spelled out from the name itself.
LABELS_ZH = {
    "order_id": "订单号", "order": "订单", "orders": "订单", "percent": "折扣百分比", "discount_percent": "折扣百分比",
    "plan": "套餐", "reason": "原因", "transaction_id": "交易编号", "transactions": "交易", "transaction": "交易",
    "dispute_id": "争议编号", "dispute": "争议", "disputes": "争议", "email": "邮箱", "address": "地址", "date": "日期",
    "status": "状态", "carrier": "承运商", "tracking_number": "快递单号", "total": "合计", "subtotal": "小计",
    "shipping": "运费", "items": "商品", "name": "名称", "quantity": "数量", "unit_price": "单价", "amount": "金额",
    "currency": "币种", "placed_at": "下单时间", "shipped_at": "发货时间", "delivered_at": "送达时间",
    "cancelled_at": "取消时间", "created_at": "创建时间", "expires_at": "有效期至", "code": "券码", "coupon": "优惠券",
    "coupons": "优惠券", "expected_dispatch_on": "预计发货日期", "expected_delivery_on": "预计送达日期", "ship_to": "收货地址",
    "payment_method": "支付方式", "message": "说明", "description": "说明", "merchant": "商户", "at": "时间",
    "events": "进度", "place": "地点", "shipped": "已发货", "refund": "退款", "discount": "折扣", "balance": "余额",
    "available": "可用余额", "pending": "待入账", "account_number": "账号", "filed_at": "提交时间", "kind": "类型",
    "expiry_days": "有效天数", "seats": "席位", "price": "价格", "renews_on": "续费日期", "subscription": "订阅",
    "can_be_cancelled": "可以取消", "question": "问题", "password": "密码", "phone": "电话", "room": "房间",
    "quantity_of_items": "商品数量", "sku": "货号", "articles": "帮助文章", "title": "标题", "text": "内容",
    "status_text": "状态说明", "invoices": "发票", "percentage": "百分比", "nights": "晚数", "guests": "人数",
}  # fmt: skip
_ACTIONS_ZH = {
    "cancel": "取消", "change": "更改", "update": "更新", "apply": "应用", "generate": "生成", "create": "创建",
    "get": "查询", "check": "查询", "list": "查询", "file": "提交", "book": "预订", "reset": "重置", "send": "发送",
    "delete": "删除", "track": "追踪", "refund": "退款",
}  # fmt: skip
_NOUNS_ZH = {
    "order": "订单", "status": "状态", "tracking": "物流", "info": "信息", "discount": "折扣", "coupon": "优惠券",
    "plan": "套餐", "subscription": "订阅", "account": "账户", "transaction": "交易", "history": "记录",
    "dispute": "争议", "address": "地址", "password": "密码", "room": "房间", "delivery": "收货", "shipping": "收货",
    "email": "邮箱", "refund": "退款", "invoice": "发票", "invoices": "发票", "orders": "订单", "coupons": "优惠券",
    "disputes": "争议", "balance": "余额",
}  # fmt: skip


def say(key: str, language: str) -> str:
    return _SAYINGS[key][language]


def label(name: str, language: str) -> str:
    """A field or parameter name as people say it: `placed_at` -> `Placed at`, `下单时间`."""
    if language == "zh" and name in LABELS_ZH:
        return LABELS_ZH[name]
    words = split_name(name)
    spoken = " ".join("ID" if word == "id" else word for word in words) or name
    return spoken[:1].upper() + spoken[1:]


def action(tool_name: str, language: str) -> str:
    """What a tool does, for the middle of a sentence: `cancel the order`, `取消订单`."""
    words = split_name(tool_name)
    if "fallback" in words:
        return {"en": "answer that", "zh": "回答这个问题"}[language]
    if (
        language == "zh"
        and words
        and words[0] in _ACTIONS_ZH
        and all(word in _NOUNS_ZH for word in words[1:])
    ):
        return _ACTIONS_ZH[words[0]] + "".join(_NOUNS_ZH[word] for word in words[1:])
    starts_with_verb = len(words) > 1 and (words[0] in NAME_VERBS or (concept_of(words[0]) or "").isupper())
    return " ".join([words[0], "the", *words[1:]] if starts_with_verb else words)


def wanted(parameter: Parameter, language: str) -> str:
    """A missing parameter in plain words: `the order number`, `the plan (basic, pro or enterprise)`."""
    listed = [str(choice) for choice in parameter.choices if choice is not None]
    if language == "zh":
        name = label(parameter.name, "zh")
        return f"{name}（{'、'.join(listed)}）" if listed else name
    words = parameter.parts
    if parameter.is_identifier:
        words = [word for word in words if word != "id"] or ["ID"]
        words = (
            [*words, "number"] if parameter.type == "integer" and words[-1] != "number" else [*words, "ID"]
        )
        words = ["ID"] if words == ["ID", "ID"] else words
    name = "the " + " ".join(words)
    name = name.replace("percent", "percentage") if "percentage" not in name else name
    return f"{name} ({_either(listed)})" if listed else name


def _either(options: Sequence[str]) -> str:
    return options[0] if len(options) == 1 else f"{', '.join(options[:-1])} or {options[-1]}"


def ask_for(tool: Tool, missing: Sequence[Parameter], language: str) -> str:
    """A polite question for exactly what is missing. It names the action, so that the answer finds its way back."""
    names = [wanted(parameter, language) for parameter in missing]
    if language == "zh":
        return f"为了{action(tool.name, 'zh')}，我还需要{'和'.join(names)}。请问是什么？"
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    which = "Could you tell me what it is?" if len(names) == 1 else "Could you tell me?"
    return f"To {action(tool.name, 'en')}, I need {listed}. {which}"


def cannot_serve(tools: Sequence[Tool], language: str) -> str:
    """Says what this agent can do instead, and offers a person."""
    able = [action(tool.name, language) for tool in tools]
    if language == "zh":
        return (
            f"这个我帮不上忙。我可以：{'、'.join(able)}。{OFFER_PERSON['zh']}"
            if able
            else f"这个我帮不上忙。{OFFER_PERSON['zh']}"
        )
    can = f" What I can do here: {', '.join(able)}." if able else ""
    return f"I can't help with that.{can} {OFFER_PERSON['en']}"


def failed(tool_name: str, kind: str, message: str, language: str) -> str:
    """A failed call in plain words. The message of the system behind it is passed on as it is."""
    what, told = action(tool_name, language), message.strip()
    tail = f" {told}" if told else ""
    if language == "zh":
        texts = {
            "rejected": f"“{what}”的请求被拒绝了，因此没有执行。{told}",
            "expired": f"“{what}”的审批请求已过期，因此没有执行。{told}",
            "cancelled": f"“{what}”在执行前已被停止，没有执行。",
            "skipped": f"“{what}”已跳过，没有执行。{told}",
            "transient": f"后台系统暂时没有响应，“{what}”没有完成，请稍后再试。{told}",
            "auth": f"后台系统拒绝了访问，“{what}”没有完成。{told}",
            "unknown": f"目前无法确认“{what}”是否已经生效，请不要重复操作，我们的同事会核实。{told}",
        }
        return texts.get(kind, f"“{what}”没有完成：{told}" if told else f"“{what}”没有完成。")
    texts = {
        "rejected": f"The request to {what} was declined, so I did not carry it out.{tail}",
        "expired": f"The approval to {what} expired before anybody answered, so nothing was done.{tail}",
        "cancelled": f"The request to {what} was stopped before it was carried out; nothing was done.",
        "skipped": f"I skipped the request to {what}; nothing was done.{tail}",
        "transient": f"I could not {what}: the system behind it did not answer. Please try again in a few minutes.{tail}",
        "auth": f"I could not {what}: I was not let into the system behind it.{tail}",
        "unknown": f"I cannot tell whether the request to {what} took effect. Please do not repeat it; our team will check."
        f"{tail}",
    }
    return texts.get(kind, f"I could not {what}. {told}" if told else f"I could not {what}.")
