"""The word lists behind lexical routing: English and Chinese words -> concepts. Data only, no logic.

A concept in capitals (`CANCEL`) is an action; one in small letters (`order`) is a thing. Phrases are matched
before single words, the longest first, and what they cover is not read again word by word.
"""

# Actions that change something. A tool that reads may never be chosen on the strength of one of these.
EFFECTS = frozenset(
    "CANCEL CHANGE CREATE APPLY REFUND DISPUTE RETURN DELETE PAY SEND BOOK RESET FREEZE TRANSFER "
    "RESUME".split()
)
# Actions that only look.
READS = frozenset({"VIEW", "TRACK"})

# Things so particular that naming them is asking for them ("10% off, please").
TELLING_THINGS = frozenset({"discount", "coupon"})

ENGLISH_PHRASES: dict[str, str] = {
    "changed my mind about": "CANCEL",
    "change my mind about": "CANCEL",
    "changed my mind": "CANCEL",
    "do not want": "CANCEL",
    "don't want": "CANCEL",
    "dont want": "CANCEL",
    "no longer want": "CANCEL",
    "no longer need": "CANCEL",
    "do not need": "CANCEL",
    "don't need": "CANCEL",
    "call off": "CANCEL",
    "get rid of": "CANCEL",
    "shut down": "CANCEL",
    "opt out": "CANCEL",
    "get out of": "CANCEL",
    "money back": "REFUND",
    "charge back": "DISPUTE",
    "don't recognise": "DISPUTE",
    "don't recognize": "DISPUTE",
    "do not recognise": "DISPUTE",
    "do not recognize": "DISPUTE",
    "didn't recognise": "DISPUTE",
    "didn't recognize": "DISPUTE",
    "did not make": "DISPUTE",
    "didn't make": "DISPUTE",
    "did not authorise": "DISPUTE",
    "didn't authorise": "DISPUTE",
    "didn't authorize": "DISPUTE",
    "never authorised": "DISPUTE",
    "never authorized": "DISPUTE",
    "never made": "DISPUTE",
    "wasn't me": "DISPUTE",
    "was not me": "DISPUTE",
    "where is": "TRACK",
    "where's": "TRACK",
    "wheres": "TRACK",
    "where are": "TRACK",
    "where the heck is": "TRACK",
    "on its way": "TRACK",
    "on the way": "TRACK",
    "out for delivery": "TRACK",
    "look up": "VIEW",
    "look at": "VIEW",
    "check on": "VIEW",
    "tell me about": "VIEW",
    "tell me": "VIEW",
    "let me know": "VIEW",
    "what is": "VIEW",
    "what's": "VIEW",
    "whats": "VIEW",
    "what are": "VIEW",
    "how is": "VIEW",
    "how's": "VIEW",
    "how much": "VIEW",
    "how many": "VIEW",
    "what happened to": "VIEW",
    "make it": "",
    "make that": "",
    "what about": "",
    "how about": "",
    "am i on": "VIEW",
    "do i have": "VIEW",
    "did i": "VIEW",
    "promo code": "coupon",
    "promotion code": "coupon",
    "discount code": "coupon",
    "gift code": "coupon",
    "voucher code": "coupon",
    "percent off": "discount",
    "per cent off": "discount",
    "% off": "discount",
    "price reduction": "discount",
    "take off": "discount",
    "knock off": "discount",
    "money off": "discount",
    "e-mail": "email",
    "sign in": "login",
    "log in": "login",
    "pick up": "pickup",
    "pay for": "PAY",
    "did i pay": "VIEW transaction",
    "have i paid": "VIEW transaction",
    "i paid": "transaction",
    "paid to": "transaction",
    "move to": "CHANGE",
    "go to": "CHANGE",
    "go up to": "CHANGE",
    "go down to": "CHANGE",
    "turn off": "CANCEL",
    "turn on": "RESUME",
    "sign me up": "CREATE",
    "sign up": "CREATE",
    "set up": "CREATE",
    "send back": "RETURN",
    "give back": "RETURN",
    "bring back": "RETURN",
    "forgot my password": "RESET password",
    "forgotten my password": "RESET password",
    "new password": "RESET password",
    "cost me": "VIEW price",
}

ENGLISH_WORDS: dict[str, str] = {
    **dict.fromkeys(
        "cancel cancellation cancelation stop terminate termination end abort unsubscribe void revoke quit "
        "discontinue scrap withdraw".split(),
        "CANCEL",
    ),
    **dict.fromkeys(
        "change upgrade downgrade switch update modify edit adjust amend alter rename replace set move "
        "reschedule correct swap".split(),
        "CHANGE",
    ),
    **dict.fromkeys(
        "create generate make add register open produce generation creation compose".split(), "CREATE"
    ),
    **dict.fromkeys("apply use redeem grant application".split(), "APPLY"),
    **dict.fromkeys("refund reimburse reimbursement refunding".split(), "REFUND"),
    **dict.fromkeys(
        "dispute chargeback contest fraud fraudulent unauthorised unauthorized unrecognised unrecognized "
        "stolen complaint complain scam".split(),
        "DISPUTE",
    ),
    **dict.fromkeys("return exchange".split(), "RETURN"),
    **dict.fromkeys("delete remove erase".split(), "DELETE"),
    **dict.fromkeys("pay settle repay".split(), "PAY"),
    **dict.fromkeys("send resend mail forward".split(), "SEND"),
    **dict.fromkeys("book reserve schedule".split(), "BOOK"),
    **dict.fromkeys("reset recover unlock".split(), "RESET"),
    **dict.fromkeys("freeze block lock suspend pause hold".split(), "FREEZE"),
    **dict.fromkeys("resume reactivate unfreeze unblock activate restore renew".split(), "RESUME"),
    **dict.fromkeys("transfer wire".split(), "TRANSFER"),
    **dict.fromkeys(
        "status view show look list see find fetch read retrieve check lookup display query describe detail "
        "search progress state history summary overview when which recent".split(),
        "VIEW",
    ),
    **dict.fromkeys(
        "track tracking shipment package parcel delivery deliver arrive arrival ship shipping "
        "shipped courier "
        "carrier eta dispatched".split(),
        "TRACK",
    ),
    **dict.fromkeys("order purchase".split(), "order"),
    **dict.fromkeys("discount reduction rebate".split(), "discount"),
    **dict.fromkeys("coupon voucher promo".split(), "coupon"),
    **dict.fromkeys("plan tier".split(), "plan"),
    **dict.fromkeys("subscription membership subscribe".split(), "subscription"),
    **dict.fromkeys("account profile".split(), "account"),
    **dict.fromkeys(
        "transaction payment charge spend spent spending statement debit purchases charged "
        "transactions".split(),
        "transaction",
    ),
    **dict.fromkeys("expiry expire expiration valid validity".split(), "expiry"),
    **{
        word: word
        for word in "address room invoice balance card flight meeting stock product warranty policy gift "
        "seat hotel login name".split()
    },
    **dict.fromkeys("email mailbox".split(), "email"),
    **dict.fromkeys("phone telephone mobile".split(), "phone"),
    **dict.fromkeys("password passcode".split(), "password"),
    **dict.fromkeys("bill billing".split(), "billing"),
    **dict.fromkeys("appointment visit".split(), "appointment"),
    **dict.fromkeys("reservation booking".split(), "reservation"),
}

# In the name of a tool these are verbs; in a customer's sentence ("can I get ...") they carry nothing.
NAME_VERBS: dict[str, str] = {
    "get": "VIEW",
    "submit": "CREATE",
    "file": "CREATE",
    "issue": "CREATE",
    "new": "CREATE",
    "put": "CHANGE",
    "patch": "CHANGE",
    "post": "CREATE",
    "request": "CREATE",
    "give": "APPLY",
    "place": "CREATE",
}

STOP_WORDS = frozenset(
    """a an the this that these those my your our his her its their me i you he she it we they us them
    mine yours
    is are was were be been being am do does did done have has had having can could will would shall
    should may might
    must to of in on at by for from with about into as and or but if then than so not no yes please
    thanks thank
    hi hello hey there here what where who whom how why very just also too some any all more most much many
    want need like get got give gave let know help one ones really now today still again only ok okay well
    get issue new go up out over back off file submit put post ask
    customer customers number id ids no nr information info detail current currently company data given using
    whether it's i'm i'd i'll i've can't won't im ve ll re s t d m don
    """.split()
)

CHINESE: dict[str, str] = {
    **dict.fromkeys(
        "取消 退订 终止 停止 撤销 作废 不要了 不想要 不需要了 停掉 结束 注销 改变主意 改主意 关闭".split(),
        "CANCEL",
    ),
    **dict.fromkeys(
        "更改 升级 降级 变更 更换 切换 更新 修改 调整 改成 改为 改到 换成 换到 升到 降到 改一下 转到".split(),
        "CHANGE",
    ),
    **dict.fromkeys("生成 创建 新建 制作 添加 开通 注册 做一张 来一张 发一张 开一张 做个".split(), "CREATE"),
    **dict.fromkeys("应用 使用 申请".split(), "APPLY"),
    **dict.fromkeys("退款 退钱 退费".split(), "REFUND"),
    **dict.fromkeys(
        "争议 拒付 投诉 申诉 盗刷 不认识 不是我 没授权 未授权 欺诈 异议 可疑".split(),
        "DISPUTE",
    ),
    **dict.fromkeys("退货 换货 退回".split(), "RETURN"),
    **dict.fromkeys("删除 移除 清除".split(), "DELETE"),
    **dict.fromkeys("支付 缴费".split(), "PAY"),
    **dict.fromkeys("发送 寄送 重发 寄".split(), "SEND"),
    **dict.fromkeys("预订 预定 预约".split(), "BOOK"),
    **dict.fromkeys("重置 找回 忘记密码".split(), "RESET"),
    **dict.fromkeys("冻结 锁定 暂停 挂失".split(), "FREEZE"),
    **dict.fromkeys("恢复 解冻 激活 续订 续费".split(), "RESUME"),
    **dict.fromkeys("转账 汇款".split(), "TRANSFER"),
    **dict.fromkeys(
        "查询 查一下 查看 查查 查 看看 看一下 看 状态 显示 告诉我 列出 进度 情况 怎么样 什么时候 多少 是什么 "
        "哪个 有哪些 进展 最近 记录".split(),
        "VIEW",
    ),
    **dict.fromkeys(
        "物流 快递 包裹 配送 到哪 发货 追踪 跟踪 在哪里 在哪儿 在哪 哪里了 哪儿了 送达 到货 运到".split(),
        "TRACK",
    ),
    **dict.fromkeys("订单 单子".split(), "order"),
    **dict.fromkeys("折扣 打折 减价 便宜 优惠".split(), "discount"),
    **dict.fromkeys("优惠券 优惠码 折扣码 折扣券 代金券 券".split(), "coupon"),
    **dict.fromkeys("套餐 方案 计划".split(), "plan"),
    **dict.fromkeys("订阅 会员".split(), "subscription"),
    **dict.fromkeys("账户 帐户 账号 帐号".split(), "account"),
    **dict.fromkeys("交易 付款 扣款 消费 流水 账单明细 收费 扣费".split(), "transaction"),
    **dict.fromkeys("密码".split(), "password"),
    **dict.fromkeys("地址".split(), "address"),
    **dict.fromkeys("邮箱 邮件".split(), "email"),
    **dict.fromkeys("电话 手机号 手机".split(), "phone"),
    **dict.fromkeys("房间 客房".split(), "room"),
    **dict.fromkeys("发票".split(), "invoice"),
    **dict.fromkeys("账单".split(), "billing"),
    **dict.fromkeys("余额".split(), "balance"),
    **dict.fromkeys("银行卡 信用卡 卡片".split(), "card"),
    **dict.fromkeys("航班".split(), "flight"),
    **dict.fromkeys("会议".split(), "meeting"),
    **dict.fromkeys("库存".split(), "stock"),
    **dict.fromkeys("产品 商品".split(), "product"),
    **dict.fromkeys("保修".split(), "warranty"),
    **dict.fromkeys("有效期 有效".split(), "expiry"),
    **dict.fromkeys("价格".split(), "price"),
    **dict.fromkeys("政策 规定".split(), "policy"),
    **dict.fromkeys("礼品卡".split(), "gift"),
    **dict.fromkeys("座位".split(), "seat"),
    **dict.fromkeys("酒店".split(), "hotel"),
}

# Messages that carry no request. Each pattern must cover the whole message (punctuation is stripped before).
NOISE = (
    r"(?:h+m+|u+h+m*|u+m+|e+r+m*|a+h+|o+h+|mm+|eh+|huh|so|well|ok(?:ay)?|ok(?:ay)? so|and"
    r"|but|then|what|hm+ ok(?:ay)?"
    r"|i (?:do not|don'?t) know|not sure|idk|dunno|whatever|wait|uh huh|mhm|yeah so|so yeah"
    r"|like|right|let me think"
    r"|i have a (?:question|problem|request)|(?:please )?help(?: me)?(?: please)?"
    r"|can you help(?: me)?|i need help"
    r"|嗯+|呃+|额+|啊+|哦+|噢+|唉+|那个+|这个|怎么办|然后呢?|那|好吧|不知道|不确定|什么|帮忙|帮帮我|帮我)"
)
GREETING = (
    r"(?:hi+|hello+|hey+|hiya|yo|howdy|good (?:morning|afternoon|evening|day)|greetings"
    r"|hi there|hello there|hey there"
    r"|how are you(?: doing)?(?: today)?|(?:hi|hello|hey)[, ]+how are you(?: doing)?(?: today)?"
    r"|你好+|您好+|嗨+|哈喽|早上好|下午好|晚上好|早|在吗|有人吗|你好啊|您好啊)"
)
THANKS = (
    r"(?:(?:ok(?:ay)?|great|perfect|cool|nice|awesome|good)?[ ,!.]*(?:thanks?|thank you|thx"
    r"|ty|cheers|much appreciated)"
    r"(?: (?:so much|very much|a lot|a bunch|again|you|for (?:your|the) help))*(?:[ ,!.]+(?:bye|goodbye))?"
    r"|great|perfect|cool|awesome|(?:that'?s|that is) (?:great|perfect|all|it|good)(?: thanks| thank you)?"
    r"|谢谢+你?您?|多谢|感谢|非常感谢|好的?谢谢|太好了|谢了|麻烦了)"
)
GOODBYE = (
    r"(?:bye+(?: bye)?|goodbye|good bye|see you(?: later)?|cya|have a (?:nice|good|great) day|good night"
    r"|no(?: thanks| thank you|pe)?|nothing(?: else)?|再见|拜拜|回见|晚安|不用了?|没有了|没了|不用了?谢谢)"
)
AFFIRMATION = (
    r"(?:yes+|yeah|yep|yup|sure|please do|yes please|go ahead|do it|try again|yes try again"
    r"|retry|again please"
    r"|是的?|好的?|可以|行|对|嗯好的?|再试一次|重试|好啊)"
)

_STAFF = (
    r"(?:person|human|agent|representative|rep|operator|manager|supervisor|someone|somebody|staff"
    r"|people|employee)"
)
# Anywhere in the message. "agent" alone does not count: it must be asked for.
PERSON_REQUEST = (
    rf"\b(?:talk|speak|chat|connect|transfer|put|get|give|escalate|hand|pass|refer|redirect)\b[^.?!;]{{0,30}}?"
    rf"\b(?:a |an |the |your |some )?(?:real |actual |live |human |other )*{_STAFF}\b"
    r"(?! (?:a|my|the|to (?:send|cancel|look|check)))"
    rf"|\b(?:i )?(?:want|need|like|prefer)\b (?:to have )?(?:a |an |the )?(?:real |actual "
    rf"|live |human )+{_STAFF}\b"
    r"|\b(?:i )?(?:want|need)\b (?:a |an )?(?:human|person|representative|operator|supervisor|manager)\b"
    rf"|\b(?:real|actual|live) {_STAFF}\b"
    r"|\bhuman (?:being|help|support|please)\b|^(?:a )?(?:human|person|representative|operator"
    r"|agent)(?: please)?[.!]*$"
    r"|\bescalate\b|\bnot (?:a|another) (?:bot|robot|machine)\b|\bstop (?:being )?(?:a )?bot\b"
    r"|转人工|人工客服|人工服务|找人工|要人工|真人|找客服|找个人|和人(?:谈|说|聊)|跟人(?:谈|说|聊)|人工|转接客服"
    r"|找(?:你们)?(?:经理|主管|负责人)"
)

# Words that point back at something said before.
POINTING_BACK = (
    r"\b(?:it|that|this|them|those|these|same|that one|this one|the one|the order|the transaction"
    r"|the dispute)\b"
    r"|它|这个|那个|这笔|那笔|这单|那单|该订单|上面|刚才|同一"
)
# Where one request ends and the next begins.
CLAUSE_BREAK = (
    r"(?:\s*[;；\n]+\s*|[.!?](?=\s|$)|[。！？]|\s*[,，、]\s*(?:and\s+)?(?:then\s+|also\s+)?"
    r"|\s+(?:and\s+then|and\s+also|and|then|also|plus|as\s+well\s+as|after\s+that|but|&)\s+"
    r"|\s*(?:并且|并|而且|然后|另外|还有|以及|同时|接着|再帮我|顺便|和|与|且)\s*)"
)
REASON_WORDS = (
    r"\b(?:because(?: of)?|since|due to|the reason is(?: that)?|reason\s*[:=]|reason is(?: that)?"
    r"|on the grounds that"
    r"|cause)\b|因为|由于|原因是|原因[:：]|理由是|理由[:：]"
)
